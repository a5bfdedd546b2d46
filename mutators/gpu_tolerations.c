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
     .fallback = TOLERATION_ACCELERATORS,
     .help = "Accelerators besides nvidia.com/* and amd.com/* whose taint is named after the "
             "resource; '*' matches anything"},
};

static bool applies(const struct pod_view *pod, const void *settings) {
  const struct gpu_tolerations *config = settings;
  for (size_t i = 0; i < pod->extended_count; i++) {
    if (toleration_needed_key(&pod->extended[i], &config->resources).len > 0) {
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
  const struct gpu_tolerations *config = settings;
  // nvidia.com/gpu and a MIG slice have one taint between them.
  struct text added[POD_EXTENDED_RESOURCES_MAX];
  struct text_list done = {.items = added, .count = 0};
  for (size_t i = 0; i < pod->extended_count; i++) {
    struct text key = toleration_needed_key(&pod->extended[i], &config->resources);
    if (key.len == 0 || text_list_contains(&done, key) ||
        tolerations_cover(pod->tolerations, key)) {
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
