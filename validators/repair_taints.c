// No Ray pod may tolerate the taints of nodes under repair (semantics V13): it would land on a
// node that is about to reboot, or keep one from being emptied.

#include "admission/rule.h"

// So many keys of a blanket toleration are named in a message, which is cut at 250 bytes.
#define NAMED_KEYS_MAX 4

struct repair_taints {
  struct text_list keys;
};

static const struct option options[] = {
    {.key = "keys",
     .type = OPTION_STRINGS,
     .offset = offsetof(struct repair_taints, keys),
     .fallback = "repair-reboot, repair-reimage, repair-manual, slow-network",
     .help = "Taints that no Ray pod may tolerate; amd-gpu-unhealthy is the AMD GPU Operator's"},
};

// The toleration as YAML writes it in one line: {key: repair-reboot, operator: Exists}.
static struct text toleration_text(struct findings *findings, yyjson_val *toleration) {
  static const char *const members[] = {"key", "operator", "value", "effect"};
  struct text all = TEXT("");
  for (size_t i = 0; i < COUNT_OF(members); i++) {
    struct text value = name_text(json_get_text(toleration, members[i]));
    if (value.len > 0) {
      all = findings_text(findings, "%.*s%s%s: %.*s", TEXT_ARG(all), all.len > 0 ? ", " : "",
                          members[i], TEXT_ARG(value));
    }
  }
  return findings_text(findings, "{%.*s}", TEXT_ARG(all));
}

// The keys that the toleration covers, as "a, b, …"; empty if it covers none.
static struct text covered_keys(struct findings *findings, yyjson_val *toleration,
                                const struct text_list *keys) {
  struct text all = TEXT("");
  size_t named = 0;
  for (size_t i = 0; i < keys->count && named <= NAMED_KEYS_MAX; i++) {
    if (!toleration_covers(toleration, keys->items[i])) {
      continue;
    }
    struct text name = named < NAMED_KEYS_MAX ? name_text(keys->items[i]) : TEXT("\u2026");
    all =
        findings_text(findings, "%.*s%s%.*s", TEXT_ARG(all), named > 0 ? ", " : "", TEXT_ARG(name));
    named++;
  }
  return all;
}

static void report(const struct group_view *group, size_t index, yyjson_val *toleration,
                   struct text keys, struct findings *findings) {
  struct text title = group_title(findings, group);
  struct text written = toleration_text(findings, toleration);
  struct text path = pod_spec_path(findings, group, "tolerations");
  findings_add(
      findings,
      (struct finding){
          .path = findings_text(findings, "%.*s[%zu]", TEXT_ARG(path), index),
          .message = findings_text(findings,
                                   "%.*s: toleration %.*s tolerates node-repair taints (%.*s); "
                                   "name the taints it needs",
                                   TEXT_ARG(title), TEXT_ARG(written), TEXT_ARG(keys)),
          .found = written,
          .wanted = TEXT("no toleration of these taints with effect NoSchedule"),
          .fix = toleration_is_blanket(toleration)
                     ? TEXT("replace it by one toleration for each taint that the pods need, such "
                            "as {key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}")
                     : TEXT("remove it; validators.repair-taints.keys says which taints are "
                            "meant"),
          // The same though other members or the index change.
          .key = group_key(findings, group, name_text(json_get_text(toleration, "key"))),
      });
}

static void check_group(const struct group_view *group, const struct repair_taints *config,
                        struct findings *findings) {
  size_t index = 0;
  yyjson_arr_iter iter = yyjson_arr_iter_with(group->pod->tolerations);
  for (yyjson_val *item = yyjson_arr_iter_next(&iter); item != NULL;
       item = yyjson_arr_iter_next(&iter)) {
    struct text keys = covered_keys(findings, item, &config->keys);
    if (keys.len > 0) {
      report(group, index, item, keys, findings);
    }
    index++;
  }
}

static void check(const struct subject *subject, const void *settings, struct findings *findings) {
  for (size_t i = 0; i < subject->group_count; i++) {
    check_group(&subject->groups[i], settings, findings);
  }
}

const struct validator validator_repair_taints = {
    .id = "V13",
    .name = "repair-taints",
    .summary = "No Ray pod tolerates the taints of nodes under repair",
    .why =
        "A node that is to be rebooted, reimaged or looked at by hand gets a taint with effect "
        "NoSchedule, so that nothing new starts there. A pod that tolerates it, mostly by a "
        "toleration of everything ({operator: Exists}), is started on a node that is about to "
        "go, and holds up its repair. A toleration of everything with effect NoExecute alone "
        "is no violation, as these taints do not evict. Pods of an admitted RayCluster are not "
        "refused unless podPolicy is hard.",
    .source =
        "AMD, OSSCI Ops Automated Solution Design (repair taints); core/v1 Toleration; the "
        "AMD GPU Operator's taint amd-gpu-unhealthy may be added to the option keys",
    .subjects = SUBJECT_RAY | SUBJECT_POD,
    .default_action = ACTION_DENY,
    .default_pod_action = ACTION_DENY,
    .options = options,
    .option_count = COUNT_OF(options),
    .options_size = sizeof(struct repair_taints),
    .check = check,
};
