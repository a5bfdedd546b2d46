// Tolerations for the taints of accelerator nodes (semantics M6): a Ray group that asks for GPUs
// and forgets the toleration stays pending for ever, and the autoscaler keeps adding nodes for it.

#include "admission/rule.h"

struct gpu_tolerations {
  struct text_list resources;
};

static const struct option options[] = {
    {.key = "resources",
     .type = OPTION_STRINGS,
     .offset = offsetof(struct gpu_tolerations, resources),
     .fallback = "gpu.intel.com/i915, gpu.intel.com/xe, habana.ai/gaudi, google.com/tpu, "
                 "aws.amazon.com/neuron*",
     .help = "Accelerators besides nvidia.com/* and amd.com/* whose taint is named after the "
             "resource; '*' matches anything"},
};

// The taint that nodes with this resource carry by convention; empty when it is no accelerator.
static struct text taint_key(struct text resource, const struct gpu_tolerations *config) {
  if (text_starts_with(resource, TEXT("nvidia.com/"))) {
    return TEXT("nvidia.com/gpu");
  }
  if (text_starts_with(resource, TEXT("amd.com/"))) {
    return TEXT("amd.com/gpu");
  }
  return text_list_matches(&config->resources, resource) ? resource : TEXT("");
}

static struct text needed_key(const struct extended_resource *resource,
                              const struct gpu_tolerations *config) {
  bool asked_for = resource->containers.nano > 0 || resource->init_containers.nano > 0;
  return asked_for ? taint_key(resource->name, config) : TEXT("");
}

// Any operator and value count: `Equal "true"` is the user's choice. An absent effect means all
// effects, an absent key with Exists means all keys (core/v1 Toleration); the entry that the
// ExtendedResourceToleration plugin writes has no effect.
static bool tolerates(yyjson_val *toleration, struct text key) {
  struct text own_key = json_get_text(toleration, "key");
  struct text effect = json_get_text(toleration, "effect");
  bool every_key = own_key.len == 0 && yyjson_is_obj(toleration) &&
                   text_equals(json_get_text(toleration, "operator"), TEXT("Exists"));
  return (every_key || text_equals(own_key, key)) &&
         (effect.len == 0 || text_equals(effect, TEXT("NoSchedule")));
}

static bool is_tolerated(const struct pod_view *pod, struct text key) {
  yyjson_arr_iter iter = yyjson_arr_iter_with(pod->tolerations);
  for (yyjson_val *item = yyjson_arr_iter_next(&iter); item != NULL;
       item = yyjson_arr_iter_next(&iter)) {
    if (tolerates(item, key)) {
      return true;
    }
  }
  return false;
}

static bool applies(const struct pod_view *pod, const void *settings) {
  for (size_t i = 0; i < pod->extended_count; i++) {
    if (needed_key(&pod->extended[i], settings).len > 0) {
      return true;
    }
  }
  return false;
}

static void append_toleration(struct patch *patch, struct text key) {
  yyjson_mut_val *toleration = value_object(patch);
  value_put_string(patch, toleration, "key", key);
  value_put_string(patch, toleration, "operator", TEXT("Exists"));
  value_put_string(patch, toleration, "effect", TEXT("NoSchedule"));
  patch_append(patch, toleration, "/spec/tolerations");
}

static void apply(const struct pod_view *pod, const void *settings, struct patch *patch) {
  // nvidia.com/gpu and a MIG slice have one taint between them.
  struct text added[POD_EXTENDED_RESOURCES_MAX];
  struct text_list done = {.items = added, .count = 0};
  for (size_t i = 0; i < pod->extended_count; i++) {
    struct text key = needed_key(&pod->extended[i], settings);
    if (key.len == 0 || text_list_contains(&done, key) || is_tolerated(pod, key)) {
      continue;
    }
    append_toleration(patch, key);
    added[done.count++] = key;
  }
}

const struct mutator mutator_gpu_tolerations = {
    .name = "gpu-tolerations",
    .summary = "Tolerates the taints of the accelerators that the pod asks for",
    .default_mode = MODE_ENFORCE,
    .options = options,
    .option_count = COUNT_OF(options),
    .options_size = sizeof(struct gpu_tolerations),
    .applies = applies,
    .apply = apply,
};
