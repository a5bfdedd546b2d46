// A group that asks for accelerators and does not tolerate their taint never starts (semantics
// V09): the same test as the mutator gpu-tolerations, on templates, before there are pods.

#include "admission/rule.h"

struct gpu_toleration {
  struct text_list resources;
};

static const struct option options[] = {
    {.key = "resources",
     .type = OPTION_STRINGS,
     .offset = offsetof(struct gpu_toleration, resources),
     .fallback = TOLERATION_ACCELERATORS,
     .help = "Accelerators besides nvidia.com/* and amd.com/* whose taint is named after the "
             "resource; '*' matches anything"},
};

static void report(const struct subject *subject, const struct group_view *group, struct text key,
                   struct findings *findings) {
  const char *gpu = group->pod->gpus.nano > 0 ? "GPU " : "";
  size_t count = yyjson_arr_size(group->pod->tolerations);
  findings_add(
      findings,
      (struct finding){
          // The mutator repairs each pod, so there is nothing left to refuse.
          .level = subject->repairs_tolerations ? FINDING_ADVICE : FINDING_VIOLATION,
          .path = pod_spec_path(findings, group, "tolerations"),
          .message = findings_text(findings, "%s%.*s does not tolerate %.*s:NoSchedule", gpu,
                                   TEXT_ARG(group_title(findings, group)), TEXT_ARG(key)),
          .found = findings_text(findings, "%zu toleration%s, none for this taint", count,
                                 count == 1 ? "" : "s"),
          .wanted =
              findings_text(findings, "a toleration of %.*s with effect NoSchedule", TEXT_ARG(key)),
          .fix = findings_text(findings,
                               "add {key: %.*s, operator: Exists, effect: NoSchedule} to the "
                               "tolerations, or let mutators.gpu-tolerations add it to the pods",
                               TEXT_ARG(key)),
          .key = group_key(findings, group, key),
      });
}

static void check_group(const struct subject *subject, const struct group_view *group,
                        const struct gpu_toleration *config, struct findings *findings) {
  // nvidia.com/gpu and a MIG slice have one taint between them.
  struct text seen[POD_EXTENDED_RESOURCES_MAX];
  struct text_list done = {.items = seen, .count = 0};
  for (size_t i = 0; i < group->pod->extended_count; i++) {
    struct text key = toleration_needed_key(&group->pod->extended[i], &config->resources);
    if (key.len == 0 || text_list_contains(&done, key)) {
      continue;
    }
    seen[done.count++] = key;
    if (!tolerations_cover(group->pod->tolerations, key)) {
      report(subject, group, key, findings);
    }
  }
}

static void check(const struct subject *subject, const void *settings, struct findings *findings) {
  for (size_t i = 0; i < subject->group_count; i++) {
    if (!subject->groups[i].is_head) {
      check_group(subject, &subject->groups[i], settings, findings);
    }
  }
}

const struct validator validator_gpu_toleration = {
    .id = "V09",
    .name = "gpu-toleration",
    .summary = "Worker groups tolerate the taints of the accelerators that they ask for",
    .why =
        "Nodes with GPUs are tainted, so that only pods that need them land there. Workers that "
        "ask for a GPU and do not tolerate its taint stay pending for ever, while the cluster "
        "autoscaler may go on adding nodes for them. A toleration without a key but with "
        "operator Exists covers every taint, one without an effect covers every effect; "
        "operator and value of a toleration do not matter. While the mutator gpu-tolerations "
        "is enforced the pods are repaired, and this rule only warns.",
    .source =
        "core/v1 Toleration; Kubernetes, Taints and Tolerations; the original platform's "
        "policy, which looked at the key alone",
    .subjects = SUBJECT_RAY,
    .default_action = ACTION_DENY,
    .default_pod_action = ACTION_OFF,
    .options = options,
    .option_count = COUNT_OF(options),
    .options_size = sizeof(struct gpu_toleration),
    .check = check,
};
