#include "admission/rule.h"

struct gpu_limit_options {
  int64_t max;
  bool apply_to_head;
};

static const struct option gpu_limit_options[] = {
    {.key = "max",
     .type = OPTION_INT,
     .fallback = "4",
     .min = 0,
     .max = 1000000,
     .offset = offsetof(struct gpu_limit_options, max),
     .help = "The most GPUs that one worker may ask for, all its containers together"},
    {.key = "applyToHead",
     .type = OPTION_BOOL,
     .fallback = "false",
     .offset = offsetof(struct gpu_limit_options, apply_to_head),
     .help = "Judge the head group too"},
};

static void report_gpus(const struct group_view *group, int64_t max, struct findings *findings) {
  struct text title = group_title(findings, group);
  struct text found = quantity_text(findings, group->pod->gpus);
  findings_add(
      findings,
      (struct finding){
          .path = pod_spec_path(findings, group, "containers"),
          .message = findings_text(findings, "%.*s asks for %.*s GPUs per %s, limit is %lld",
                                   TEXT_ARG(title), TEXT_ARG(found),
                                   group->is_head ? "head" : "worker", (long long)max),
          .found = found,
          .wanted = findings_text(findings, "at most %lld", (long long)max),
          .fix = TEXT("use more workers with fewer GPUs each, or raise validators.gpu-limit.max"),
          .key = group_key(findings, group, TEXT("gpus")),
          .measure = group->pod->gpus.nano,
      });
}

// semantics §4.2: devices behind a claim cannot be counted; warned of once.
static void advise_claims(const struct group_view *group, struct findings *findings) {
  struct text title = group_title(findings, group);
  findings_add(
      findings,
      (struct finding){
          .level = FINDING_ADVICE,
          .path = pod_spec_path(findings, group, "resourceClaims"),
          .message = findings_text(
              findings, "%.*s has resource claims (DRA); devices behind them are not counted",
              TEXT_ARG(title)),
          .found = TEXT("resource claims"),
          .wanted = TEXT("devices as extended resources, which can be counted"),
          .fix = TEXT("limit devices behind claims with a ResourceQuota"),
          .key = TEXT("claims"),
      });
}

static void gpu_limit_check(const struct subject *subject, const void *options,
                            struct findings *findings) {
  const struct gpu_limit_options *settings = options;
  int128 max = quantity_of_units(settings->max).nano;
  bool advised = false;
  for (size_t i = 0; i < subject->group_count; i++) {
    const struct group_view *group = &subject->groups[i];
    if (group->is_head && !settings->apply_to_head) {
      continue;
    }
    if (group->pod->gpus.nano > max) {
      report_gpus(group, settings->max, findings);
    }
    if (!advised && yyjson_arr_size(json_get(group->pod->spec, "resourceClaims")) > 0) {
      advise_claims(group, findings);
      advised = true;
    }
  }
}

const struct validator validator_gpu_limit = {
    .id = "V03",
    .name = "gpu-limit",
    .summary = "A worker asks for no more GPUs than the limit",
    .why =
        "A worker with more GPUs than a node has stays pending for ever, and large workers leave "
        "GPUs on other nodes unused. GPUs are every resource that ends with \"gpu\", NVIDIA's "
        "MIG slices and those of the option gpuResources; a container's limit counts, else its "
        "request, and all containers of a pod are added up.",
    .source =
        "the original platform's limit of 4 GPUs per worker (policies/ray.rego); KubeRay's "
        "IsGPUResourceKey for what a GPU is",
    .subjects = SUBJECT_RAY | SUBJECT_POD,
    .default_action = ACTION_DENY,
    .default_pod_action = ACTION_DENY,
    .options = gpu_limit_options,
    .option_count = COUNT_OF(gpu_limit_options),
    .options_size = sizeof(struct gpu_limit_options),
    .check = gpu_limit_check,
};
