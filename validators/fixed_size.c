#include "admission/rule.h"

static bool is_fixed(const struct group_view *group) {
  return group_max_is_set(group) && group->max_replicas.state == COUNT_OK &&
         group->min_replicas.state == COUNT_OK && group->max_replicas.value > 0 &&
         group->min_replicas.value == group->max_replicas.value;
}

static void fixed_size_check(const struct subject *subject, const void *options,
                             struct findings *findings) {
  (void)options;
  for (size_t i = 0; i < subject->group_count; i++) {
    const struct group_view *group = &subject->groups[i];
    if (!is_fixed(group)) {
      continue;
    }
    struct text title = group_title(findings, group);
    long long size = group->max_replicas.value;
    findings_add(findings,
                 (struct finding){
                     .path = findings_path(findings, group->path, "minReplicas"),
                     .message = findings_text(findings, "%.*s has a fixed size of %lld",
                                              TEXT_ARG(title), size),
                     .found = findings_text(findings, "minReplicas and maxReplicas %lld", size),
                     .wanted = TEXT("minReplicas below maxReplicas"),
                     .fix = TEXT("lower minReplicas, to 0 if the group may be empty"),
                     .key = group_key(findings, group, TEXT("")),
                 });
  }
}

const struct validator validator_fixed_size = {
    .id = "V11",
    .name = "fixed-size",
    .summary = "A worker group can shrink: minReplicas is below maxReplicas",
    .why =
        "A group whose minReplicas and maxReplicas are the same keeps its nodes whether there is "
        "work or not, and the autoscaler can do nothing about it.",
    .source = "the original platform's warning (policies/ray.rego)",
    .subjects = SUBJECT_RAY,
    .default_action = ACTION_WARN,
    .default_pod_action = ACTION_OFF,
    .check = fixed_size_check,
};
