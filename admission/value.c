#include "admission/value.h"

#include "admission/patch.h"

yyjson_mut_val *value_object(struct patch *patch) {
  return patch_keep(patch, yyjson_mut_obj(patch_document(patch)));
}

yyjson_mut_val *value_array(struct patch *patch) {
  return patch_keep(patch, yyjson_mut_arr(patch_document(patch)));
}

yyjson_mut_val *value_string(struct patch *patch, struct text text) {
  if (text.data == NULL) {
    return patch_keep(patch, NULL);
  }
  return patch_keep(patch, yyjson_mut_strncpy(patch_document(patch), text.data, text.len));
}

yyjson_mut_val *value_int(struct patch *patch, long long number) {
  return patch_keep(patch, yyjson_mut_sint(patch_document(patch), number));
}

yyjson_mut_val *value_copy(struct patch *patch, yyjson_val *value) {
  return patch_keep(patch, yyjson_val_mut_copy(patch_document(patch), value));
}

void value_put(struct patch *patch, yyjson_mut_val *object, const char *key,
               yyjson_mut_val *value) {
  yyjson_mut_val *name = patch_keep(patch, yyjson_mut_str(patch_document(patch), key));
  if (object != NULL && name != NULL && value != NULL) {
    yyjson_mut_obj_add(object, name, value);
  }
}

void value_push(struct patch *patch, yyjson_mut_val *array, yyjson_mut_val *value) {
  (void)patch;
  if (array != NULL && value != NULL) {
    yyjson_mut_arr_append(array, value);
  }
}

void value_put_string(struct patch *patch, yyjson_mut_val *object, const char *key,
                      struct text text) {
  value_put(patch, object, key, value_string(patch, text));
}

void value_put_int(struct patch *patch, yyjson_mut_val *object, const char *key, long long number) {
  value_put(patch, object, key, value_int(patch, number));
}

void value_put_bool(struct patch *patch, yyjson_mut_val *object, const char *key, bool truth) {
  value_put(patch, object, key, patch_keep(patch, yyjson_mut_bool(patch_document(patch), truth)));
}

void value_push_string(struct patch *patch, yyjson_mut_val *array, struct text text) {
  value_push(patch, array, value_string(patch, text));
}

static const struct script_value *placeholder_at(struct text script, size_t offset,
                                                 const struct script_value *values, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (text_starts_with(text_slice(script, offset, script.len), values[i].placeholder)) {
      return &values[i];
    }
  }
  return NULL;
}

static void copy_piece(char *filled, size_t *len, struct text piece) {
  if (filled != NULL && piece.len > 0) {
    memcpy(filled + *len, piece.data, piece.len);
  }
  *len += piece.len;
}

// Copies the script to `filled` with its placeholders replaced, or only measures it if that is
// NULL. Returns the length.
static size_t fill(struct text script, const struct script_value *values, size_t count,
                   char *filled) {
  size_t len = 0;
  size_t start = 0;
  for (size_t at = text_find(script, TEXT("@"), 0); at < script.len;
       at = text_find(script, TEXT("@"), at)) {
    const struct script_value *found = placeholder_at(script, at, values, count);
    if (found == NULL) {
      at++;
      continue;
    }
    copy_piece(filled, &len, text_slice(script, start, at));
    copy_piece(filled, &len, found->value);
    at += found->placeholder.len;
    start = at;
  }
  copy_piece(filled, &len, text_slice(script, start, script.len));
  return len;
}

struct text script_fill(struct patch *patch, struct text script, const struct script_value *values,
                        size_t count) {
  size_t len = fill(script, values, count, NULL);
  char *filled = arena_alloc(patch_arena(patch), len);
  if (filled == NULL) {
    patch_keep(patch, NULL);
    return (struct text){NULL, 0};
  }
  fill(script, values, count, filled);
  return (struct text){filled, len};
}
