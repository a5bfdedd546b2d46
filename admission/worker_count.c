#include "admission/worker_count.h"

#include "admission/group_text.h"

#define GROUPS_LISTED_MAX 8

bool group_is_unbounded(const struct subject *subject, const struct group_view *group) {
  return !group->is_head && subject->autoscaling && !group_max_is_set(group);
}

int64_t group_max_workers(const struct subject *subject, const struct group_view *group) {
  if (group->is_head || group_is_unbounded(subject, group)) {
    return 0;
  }
  int64_t replicas = group->max_replicas.value;
  if (!group_max_is_set(group)) {
    int64_t now = group->replicas.value;
    int64_t min = group->min_replicas.value;
    replicas = now > min ? now : min;
  }
  return saturating_times(replicas, group_hosts(group));
}

void report_unbounded_group(const struct group_view *group, const char *option,
                            struct findings *findings) {
  bool absent = group->max_replicas.state == COUNT_ABSENT;
  struct text title = group_title(findings, group);
  findings_add(
      findings,
      (struct finding){
          .path = findings_path(findings, group->path, "maxReplicas"),
          .message = findings_text(findings, "%.*s does not set maxReplicas", TEXT_ARG(title)),
          .found = absent ? TEXT("nothing") : TEXT("2147483647, the default"),
          .wanted = TEXT("a number, because the autoscaler is on"),
          .fix = findings_text(findings, "set maxReplicas; %s limits the sum", option),
          .key = group_key(findings, group, TEXT("maxReplicas")),
      });
}

void group_sum_add(struct group_sum *sum, struct findings *findings, const struct group_view *group,
                   struct text amount) {
  if (sum->listed == GROUPS_LISTED_MAX) {
    sum->left_out++;
    return;
  }
  sum->list =
      findings_text(findings, "%.*s%s%.*s: %.*s", TEXT_ARG(sum->list), sum->listed == 0 ? "" : ", ",
                    TEXT_ARG(name_text(group->name)), TEXT_ARG(amount));
  sum->listed++;
}

struct text group_sum_text(const struct group_sum *sum, struct findings *findings) {
  if (sum->left_out == 0) {
    return sum->list;
  }
  return findings_text(findings, "%.*s … and %zu more", TEXT_ARG(sum->list), sum->left_out);
}
