#include "admission/rule.h"

struct max_workers_options {
  int64_t max;
};

static const struct option max_workers_options[] = {
    {.key = "max",
     .type = OPTION_INT,
     .fallback = "50",
     .min = 0,
     .max = 1000000,
     .offset = offsetof(struct max_workers_options, max),
     .help = "The most workers that all groups of a cluster may have together"},
};

// semantics §4.4: without the autoscaler the group counts by its replicas, and that is said.
static void advise_count(const struct subject *subject, const struct group_view *group,
                         struct findings *findings) {
  struct text title = group_title(findings, group);
  int64_t workers = group_max_workers(subject, group);
  findings_add(findings, (struct finding){
                             .level = FINDING_ADVICE,
                             .path = findings_path(findings, group->path, "maxReplicas"),
                             .message = findings_text(
                                 findings,
                                 "%.*s does not set maxReplicas; it counts as the %lld workers of "
                                 "its replicas",
                                 TEXT_ARG(title), (long long)workers),
                             .found = TEXT("nothing or the default"),
                             .wanted = TEXT("a number"),
                             .fix = TEXT("set maxReplicas"),
                             .key = group_key(findings, group, TEXT("replicas")),
                         });
}

// Which groups make the total.
static struct text list_groups(const struct subject *subject, struct findings *findings) {
  struct group_sum sum = {.list = TEXT("")};
  for (size_t i = 0; i < subject->group_count; i++) {
    const struct group_view *group = &subject->groups[i];
    int64_t workers = group_max_workers(subject, group);
    if (workers > 0) {
      group_sum_add(&sum, findings, group, findings_text(findings, "%lld", (long long)workers));
    }
  }
  return group_sum_text(&sum, findings);
}

static void report_total(const struct subject *subject, int64_t total, int64_t max,
                         struct findings *findings) {
  struct text groups = list_groups(subject, findings);
  findings_add(findings,
               (struct finding){
                   .path = findings_path(findings, subject->cluster_path, "workerGroupSpecs"),
                   .message = findings_text(
                       findings, "total max workers %lld exceeds the limit of %lld (%.*s)",
                       (long long)total, (long long)max, TEXT_ARG(groups)),
                   .found = findings_text(findings, "%lld", (long long)total),
                   .wanted = findings_text(findings, "at most %lld", (long long)max),
                   .fix = TEXT("lower maxReplicas (or numOfHosts) of these groups, or raise "
                               "validators.max-workers.max"),
                   .key = TEXT("total"),
                   .measure = total,
               });
}

static void max_workers_check(const struct subject *subject, const void *options,
                              struct findings *findings) {
  const struct max_workers_options *settings = options;
  int64_t total = 0;
  for (size_t i = 0; i < subject->group_count; i++) {
    const struct group_view *group = &subject->groups[i];
    int64_t workers = group_max_workers(subject, group);
    if (group_is_unbounded(subject, group)) {
      report_unbounded_group(group, "validators.max-workers.max", findings);
    } else if (!group->is_head && !group_max_is_set(group)) {
      advise_count(subject, group, findings);
    }
    total = saturating_plus(total, workers);
  }
  if (total > settings->max) {
    report_total(subject, total, settings->max, findings);
  }
}

const struct validator validator_max_workers = {
    .id = "V04",
    .name = "max-workers",
    .summary = "The worker groups of a cluster may not grow to more workers than the limit",
    .why =
        "One cluster must not be able to take every node of the platform. What counts is what "
        "the autoscaler may grow to: maxReplicas x numOfHosts of every group, suspended ones "
        "too. With the autoscaler every group must set maxReplicas (2147483647, the default of "
        "the CRD, is as good as not set); without it a group that does not counts by its "
        "replicas.",
    .source =
        "the original platform's limit of 50 workers (policies/ray.rego), which added up a "
        "set",
    .subjects = SUBJECT_RAY,
    .default_action = ACTION_DENY,
    .default_pod_action = ACTION_OFF,
    .options = max_workers_options,
    .option_count = COUNT_OF(max_workers_options),
    .options_size = sizeof(struct max_workers_options),
    .check = max_workers_check,
};
