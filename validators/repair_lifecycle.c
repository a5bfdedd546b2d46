// The taints of a node under repair change in one order only, one at a time. Opt-in: it looks at
// updates of Nodes, which docs/node-repair.md registers in a webhook entry of its own.

#include "admission/rule.h"

// none -> repair-reboot -> (none | repair-reimage) -> (none | repair-manual) -> none. A stage is
// entered from the one before it; repair-reboot from none.
enum { STAGE_COUNT = 3 };
static const char *const stages[STAGE_COUNT] = {"repair-reboot", "repair-reimage", "repair-manual"};

// The repair taints of one node; bit i stands for stages[i].
struct repair {
  unsigned stages;
  unsigned other_effect;            // with an effect that is not NoSchedule
  size_t index[STAGE_COUNT];        // where in spec.taints, of the last one
  yyjson_val *effect[STAGE_COUNT];  // of the last one that is not NoSchedule
};

static int stage_of(yyjson_val *taint) {
  struct text key = json_get_text(taint, "key");
  for (int i = 0; i < STAGE_COUNT; i++) {
    if (text_equals(key, text_of(stages[i]))) {
      return i;
    }
  }
  return -1;
}

static struct repair read_repair(const struct subject *subject) {
  struct repair repair = {0};
  size_t index = 0;
  yyjson_arr_iter iter =
      yyjson_arr_iter_with(json_get(json_get(subject->object, "spec"), "taints"));
  for (yyjson_val *taint = yyjson_arr_iter_next(&iter); taint != NULL;
       taint = yyjson_arr_iter_next(&iter), index++) {
    int stage = stage_of(taint);
    if (stage < 0) {
      continue;
    }
    yyjson_val *effect = json_get(taint, "effect");
    repair.stages |= 1U << stage;
    repair.index[stage] = index;
    if (!json_is_string(effect, TEXT("NoSchedule"))) {
      repair.other_effect |= 1U << stage;
      repair.effect[stage] = effect;
    }
  }
  return repair;
}

static bool is_one(unsigned set) {
  return (set & (set - 1)) == 0;
}

// "none", or the stages as "a + b".
static struct text stages_text(struct findings *findings, unsigned set) {
  struct text all = TEXT("");
  for (unsigned i = 0; i < STAGE_COUNT; i++) {
    if ((set & (1U << i)) != 0) {
      all = findings_text(findings, "%.*s%s%s", TEXT_ARG(all), all.len > 0 ? " + " : "", stages[i]);
    }
  }
  return set == 0 ? TEXT("none") : all;
}

static void add(struct findings *findings, const struct repair *repair, unsigned stage,
                struct text message, struct text found, struct text wanted, const char *fix) {
  findings_add(findings,
               (struct finding){
                   .path = findings_text(findings, "spec.taints[%zu]", repair->index[stage]),
                   .message = message,
                   .found = found,
                   .wanted = wanted,
                   .fix = text_of(fix),
                   .key = text_of(stages[stage]),
               });
}

// An effect that was there before stays the business of whoever set it.
static void check_effects(const struct repair *old, const struct repair *repair,
                          struct findings *findings) {
  for (unsigned i = 0; i < STAGE_COUNT; i++) {
    bool is_new = (repair->other_effect & (1U << i)) != 0 && (old->other_effect & (1U << i)) == 0;
    if (is_new) {
      struct text effect = value_text(findings, repair->effect[i]);
      add(findings, repair, i,
          findings_text(findings,
                        "taint %s has the effect %.*s, only NoSchedule is part of a "
                        "repair",
                        stages[i], TEXT_ARG(effect)),
          effect, TEXT("NoSchedule"), "set the taint with effect NoSchedule");
    }
  }
}

// Where the stage may come from.
static unsigned before(unsigned stage) {
  return stage == 0 ? 0 : 1U << (stage - 1);
}

static void check_stage(const struct repair *old, const struct repair *repair,
                        struct findings *findings) {
  unsigned added = repair->stages & ~old->stages;
  if (added == 0) {  // removing is always allowed, as is leaving things as they are
    return;
  }
  unsigned stage = (unsigned)__builtin_ctz(added);
  struct text from = stages_text(findings, old->stages);
  struct text to = stages_text(findings, repair->stages);
  struct text change = findings_text(findings, "%.*s -> %.*s", TEXT_ARG(from), TEXT_ARG(to));
  if (!is_one(repair->stages)) {
    add(findings, repair, stage,
        findings_text(findings, "a node has one repair taint at a time, not %.*s", TEXT_ARG(to)),
        change, TEXT("one of repair-reboot, repair-reimage, repair-manual"),
        "replace the old taint by the new one in one update");
    return;
  }
  unsigned from_stage = before(stage);
  bool allowed = from_stage == 0 ? old->stages == 0 : (old->stages & from_stage) != 0;
  if (!allowed) {
    add(findings, repair, stage,
        findings_text(findings, "repair taints do not change from %.*s to %.*s", TEXT_ARG(from),
                      TEXT_ARG(to)),
        change,
        findings_text(findings, "%s -> %s", stage == 0 ? "none" : stages[stage - 1], stages[stage]),
        "follow none -> repair-reboot -> (none | repair-reimage) -> (none | repair-manual) -> "
        "none");
  }
}

static void check_change(const struct subject *old_subject, const struct subject *subject,
                         const void *settings, struct findings *findings) {
  (void)settings;
  struct repair old = read_repair(old_subject);
  struct repair repair = read_repair(subject);
  check_effects(&old, &repair, findings);
  check_stage(&old, &repair, findings);
}

const struct validator validator_repair_lifecycle = {
    .id = "NR",
    .name = "repair-lifecycle",
    .summary = "Repair taints of nodes change in order, one at a time",
    .why =
        "A node is rebooted first, reimaged if that did not help, and looked at by hand last: "
        "none -> repair-reboot -> (none | repair-reimage) -> (none | repair-manual) -> none. "
        "Two automations, or a person and one, that skip a step or set two taints undo each "
        "other's work. The taints have the effect NoSchedule, so that running work ends by "
        "itself. slow-network stands beside them. Updates that do not add one of these taints "
        "are never refused. Off by default; it needs a webhook entry for Nodes.",
    .source = "AMD, OSSCI Ops Automated Solution Design (repair taints); core/v1 Taint",
    .subjects = SUBJECT_NODE,
    .default_action = ACTION_OFF,
    .default_pod_action = ACTION_OFF,
    .check_change = check_change,
};
