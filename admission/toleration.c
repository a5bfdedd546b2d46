#include "admission/toleration.h"

#include "admission/json.h"

static struct text taint_key(struct text resource, const struct text_list *more) {
  if (text_starts_with(resource, TEXT("nvidia.com/"))) {
    return TEXT("nvidia.com/gpu");
  }
  if (text_starts_with(resource, TEXT("amd.com/"))) {
    return TEXT("amd.com/gpu");
  }
  return text_list_matches(more, resource) ? resource : TEXT("");
}

struct text toleration_needed_key(const struct extended_resource *resource,
                                  const struct text_list *more) {
  bool asked_for = resource->containers.nano > 0 || resource->init_containers.nano > 0;
  return asked_for ? taint_key(resource->name, more) : TEXT("");
}

// core/v1 Toleration: "If the key is empty, operator must be Exists; this combination means to
// match all values and all keys."
bool toleration_is_blanket(yyjson_val *toleration) {
  return yyjson_is_obj(toleration) && json_get_text(toleration, "key").len == 0 &&
         text_equals(json_get_text(toleration, "operator"), TEXT("Exists"));
}

// Any operator and value count: `Equal "true"` is the user's choice. An absent effect means all
// effects; the entry that the ExtendedResourceToleration plugin writes has none.
bool toleration_covers(yyjson_val *toleration, struct text key) {
  struct text effect = json_get_text(toleration, "effect");
  return (toleration_is_blanket(toleration) ||
          text_equals(json_get_text(toleration, "key"), key)) &&
         (effect.len == 0 || text_equals(effect, TEXT("NoSchedule")));
}

bool tolerations_cover(yyjson_val *tolerations, struct text key) {
  yyjson_arr_iter iter = yyjson_arr_iter_with(tolerations);
  for (yyjson_val *item = yyjson_arr_iter_next(&iter); item != NULL;
       item = yyjson_arr_iter_next(&iter)) {
    if (toleration_covers(item, key)) {
      return true;
    }
  }
  return false;
}
