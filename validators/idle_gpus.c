#include "admission/rule.h"

// A group that can have no workers keeps none.
static bool keeps_gpus(const struct group_view *group) {
  bool empty = group->max_replicas.state == COUNT_OK && group->max_replicas.value == 0;
  return !empty && group->pod->gpus.nano > 0 && group->min_replicas.value > 0;
}

static void idle_gpus_check(const struct subject *subject, const void *options,
                            struct findings *findings) {
  (void)options;
  for (size_t i = 0; i < subject->group_count; i++) {
    const struct group_view *group = &subject->groups[i];
    if (!keeps_gpus(group)) {
      continue;
    }
    struct text title = group_title(findings, group);
    long long replicas = group->min_replicas.value;
    findings_add(findings,
                 (struct finding){
                     .path = findings_path(findings, group->path, "minReplicas"),
                     .message = findings_text(findings, "GPU %.*s keeps %lld replicas when idle",
                                              TEXT_ARG(title), replicas),
                     .found = findings_text(findings, "%lld", replicas),
                     .wanted = TEXT("0"),
                     .fix = TEXT("set minReplicas to 0 and let the autoscaler add workers"),
                     .key = group_key(findings, group, TEXT("")),
                     .measure = replicas,
                 });
  }
}

const struct validator validator_idle_gpus = {
    .id = "V12",
    .name = "idle-gpus",
    .summary = "A GPU worker group may go down to no workers",
    .why =
        "A GPU group with minReplicas above 0 pays for its GPUs while nothing runs on them, and "
        "they are missing elsewhere.",
    .source = "the original platform's warning (policies/ray.rego)",
    .subjects = SUBJECT_RAY,
    .default_action = ACTION_WARN,
    .default_pod_action = ACTION_OFF,
    .check = idle_gpus_check,
};
