#include "admission/rule.h"

struct max_gpus_options {
  int64_t max;
};

static const struct option max_gpus_options[] = {
    {.key = "max",
     .type = OPTION_INT,
     .fallback = "20",
     .min = 0,
     .max = 1000000,
     .offset = offsetof(struct max_gpus_options, max),
     .help = "The most GPUs that all worker groups of a cluster may have together"},
};

// Never negative.
static struct quantity group_max_gpus(const struct subject *subject,
                                      const struct group_view *group) {
  struct quantity none = {0};
  return group->pod->gpus.nano <= 0
             ? none
             : quantity_times(group->pod->gpus, group_max_workers(subject, group));
}

// Which groups make the total.
static struct text list_groups(const struct subject *subject, struct findings *findings) {
  struct group_sum sum = {.list = TEXT("")};
  for (size_t i = 0; i < subject->group_count; i++) {
    const struct group_view *group = &subject->groups[i];
    struct quantity gpus = group_max_gpus(subject, group);
    if (gpus.nano > 0) {
      group_sum_add(&sum, findings, group, quantity_text(findings, gpus));
    }
  }
  return group_sum_text(&sum, findings);
}

static void report_total(const struct subject *subject, struct quantity total, int64_t max,
                         struct findings *findings) {
  struct text groups = list_groups(subject, findings);
  struct text found = quantity_text(findings, total);
  findings_add(
      findings,
      (struct finding){
          .path = findings_path(findings, subject->cluster_path, "workerGroupSpecs"),
          .message = findings_text(findings, "total max GPUs %.*s exceeds the limit of %lld (%.*s)",
                                   TEXT_ARG(found), (long long)max, TEXT_ARG(groups)),
          .found = found,
          .wanted = findings_text(findings, "at most %lld", (long long)max),
          .fix = TEXT("lower maxReplicas, numOfHosts or the GPUs of these groups, or raise "
                      "validators.max-gpus.max"),
          .key = TEXT("total"),
          .measure = total.nano,
      });
}

static void max_gpus_check(const struct subject *subject, const void *options,
                           struct findings *findings) {
  const struct max_gpus_options *settings = options;
  struct quantity total = {0};
  for (size_t i = 0; i < subject->group_count; i++) {
    const struct group_view *group = &subject->groups[i];
    if (group->pod->gpus.nano <= 0) {
      continue;
    }
    if (group_is_unbounded(subject, group)) {
      report_unbounded_group(group, "validators.max-gpus.max", findings);
    }
    total = quantity_add(total, group_max_gpus(subject, group));
  }
  if (total.nano > quantity_of_units(settings->max).nano) {
    report_total(subject, total, settings->max, findings);
  }
}

const struct validator validator_max_gpus = {
    .id = "V05",
    .name = "max-gpus",
    .summary = "The worker groups of a cluster may not grow to more GPUs than the limit",
    .why =
        "GPUs are what the platform has least of. What counts is maxReplicas x numOfHosts x the "
        "GPUs of one worker, added up over all groups, suspended ones too. GPUs given only as "
        "limits count; a MIG slice counts one; TPUs and Neuron cores do not count.",
    .source =
        "the original platform's limit of 20 GPUs per cluster (policies/ray.rego); KubeRay's "
        "sumGPUs for what a GPU is",
    .subjects = SUBJECT_RAY,
    .default_action = ACTION_DENY,
    .default_pod_action = ACTION_OFF,
    .options = max_gpus_options,
    .option_count = COUNT_OF(max_gpus_options),
    .options_size = sizeof(struct max_gpus_options),
    .check = max_gpus_check,
};
