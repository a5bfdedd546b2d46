#include "admission/validate.h"

#include "admission/rule.h"
#include "admission/violations.h"

struct run {
  const struct admission_config *config;
  const struct ruleset *rules;
  const struct subject *subject;
  const struct subject *old_subject;  // NULL on CREATE
  struct arena *arena;
  struct violations *violations;
};

// ---- which action ----

// semantics §4.4: a pod of a RayCluster was judged when its cluster was; refusing it later would
// stop the recovery of a running cluster after a node failure.
static enum validator_action soften_for_pod(const struct run *run, enum validator_action action) {
  bool soft = run->config->pod_policy == POD_POLICY_WARN ||
              (run->config->pod_policy == POD_POLICY_BARE && run->subject->owned);
  return action == ACTION_DENY && soft ? ACTION_WARN : action;
}

static enum validator_action action_of(const struct run *run, const struct rule_setting *setting) {
  if (run->subject->kind != SUBJECT_POD) {
    return (enum validator_action)setting->action;
  }
  if (setting->action == ACTION_OFF || run->config->pod_policy == POD_POLICY_OFF) {
    return ACTION_OFF;
  }
  return soften_for_pod(run, (enum validator_action)setting->pod_action);
}

// ---- one rule ----

// The findings of the object as it was, in the order that the ratchet needs; NULL on CREATE or
// when memory is short, which ends the request anyway.
static struct findings *check_old(const struct run *run, const struct validator *validator,
                                  const void *options) {
  struct findings *old = findings_new(run->arena);
  if (old != NULL) {
    validator->check(run->old_subject, options, old);
    findings_sort(old);
  }
  return old;
}

// What was left out has not been compared with the old object, so it counts as new.
static int judge_left_out(const struct run *run, const struct validator *validator,
                          enum validator_action action, const struct findings *findings) {
  size_t left_out = findings_left_out(findings);
  if (left_out == 0) {
    return 0;
  }
  struct text message =
      arena_printf(run->arena, "%zu more findings of this rule are only counted", left_out);
  struct finding finding = {
      .path = TEXT("the whole object"),
      .message = message,
      .found = message,
      .wanted = TEXT("an object with fewer faults"),
      .fix = TEXT("mend what is listed first"),
  };
  violations_add(run->violations, validator, &finding, action, false);
  return message.data == NULL ? -1 : 0;
}

// semantics §4.5: what was there before and is not worse is a warning at most.
static int judge_findings(const struct run *run, const struct validator *validator,
                          const void *options, enum validator_action action,
                          struct findings *findings) {
  struct findings *old = NULL;
  if (run->old_subject != NULL && findings_count(findings) > 0) {
    old = check_old(run, validator, options);
    if (old == NULL || findings_failed(old)) {
      return -1;
    }
  }
  for (size_t i = 0; i < findings_count(findings); i++) {
    const struct finding *finding = findings_get(findings, i);
    bool advice = finding->level == FINDING_ADVICE;
    bool there_before = old != NULL && findings_take(old, finding);
    bool soften = action == ACTION_DENY && (advice || there_before);
    violations_add(run->violations, validator, finding, soften ? ACTION_WARN : action,
                   there_before);
  }
  return judge_left_out(run, validator, action, findings);
}

static int judge_change(const struct run *run, const struct validator *validator,
                        const void *options, enum validator_action action) {
  if (run->old_subject == NULL || validator->check_change == NULL) {
    return 0;
  }
  struct findings *findings = findings_new(run->arena);
  if (findings == NULL) {
    return -1;
  }
  validator->check_change(run->old_subject, run->subject, options, findings);
  for (size_t i = 0; i < findings_count(findings); i++) {
    violations_add(run->violations, validator, findings_get(findings, i), action, false);
  }
  return findings_failed(findings) ? -1 : 0;
}

static int run_rule(const struct run *run, const struct validator *validator,
                    const struct rule_setting *setting) {
  enum validator_action action = action_of(run, setting);
  if (action == ACTION_OFF || (validator->subjects & (unsigned)run->subject->kind) == 0) {
    return 0;
  }
  struct findings *findings = findings_new(run->arena);
  if (findings == NULL) {
    return -1;
  }
  if (validator->check != NULL) {
    validator->check(run->subject, setting->options, findings);
  }
  if (findings_failed(findings) ||
      judge_findings(run, validator, setting->options, action, findings) != 0) {
    return -1;
  }
  return judge_change(run, validator, setting->options, action);
}

// ---- the request ----

static void report(const struct run *run, size_t index, struct rule_report *rule) {
  const struct validator *validator = validators[index];
  *rule = (struct rule_report){.rule = validator->name};
  enum validator_action action = action_of(run, &run->rules->validators[index]);
  rule->result = action == ACTION_OFF ? RULE_OFF : violations_result(run->violations, validator);
}

static int read_subjects(const struct admission_config *config,
                         const struct admission_request *request, struct arena *arena,
                         struct subject *subject, struct subject *old_subject) {
  const struct text_list *gpus = &config->gpu_resources;
  int known = subject_read(request->object, request->group, request->kind, gpus, arena, subject);
  if (known == 1 && request->old_object != NULL &&
      subject_read(request->old_object, request->group, request->kind, gpus, arena, old_subject) <
          0) {
    return -1;
  }
  return known;
}

static bool repairs_tolerations(const struct ruleset *rules) {
  for (size_t i = 0; i < mutator_count; i++) {
    if (text_equals(text_of(mutators[i]->name), TEXT("gpu-tolerations"))) {
      return rules->mutators[i].mode == MODE_ENFORCE;
    }
  }
  return false;
}

static int judge(struct run *run, struct answer *answer, struct decision *decision) {
  struct rule_report *reports = arena_calloc(run->arena, validator_count + 1, sizeof *reports);
  run->violations = violations_new(run->arena);
  if (reports == NULL || run->violations == NULL) {
    return -1;
  }
  for (size_t i = 0; i < validator_count; i++) {
    if (run_rule(run, validators[i], &run->rules->validators[i]) != 0) {
      return -1;
    }
  }
  for (size_t i = 0; i < validator_count; i++) {
    report(run, i, &reports[i]);
  }
  decision->reports = reports;
  decision->report_count = validator_count;
  return violations_answer(run->violations, run->subject, answer, decision);
}

// DELETE and CONNECT are never registered; subresources neither (semantics §4.5). Should they come
// all the same, they pass.
static bool is_judged(const struct admission_request *request) {
  bool update = text_equals(request->operation, TEXT("UPDATE"));
  return request->sub_resource.len == 0 &&
         (update || text_equals(request->operation, TEXT("CREATE")));
}

int validate_request(const struct admission_config *config, const struct admission_request *request,
                     struct arena *arena, struct answer *answer, struct decision *decision) {
  if (!is_judged(request)) {
    decision->reason = TEXT("not a creation or an update");
    return 0;
  }
  struct subject subject;
  struct subject old_subject = {0};
  int known = read_subjects(config, request, arena, &subject, &old_subject);
  if (known <= 0) {
    decision->reason = TEXT("no rule looks at this kind");
    return known;
  }
  // Finalizer removal is an UPDATE of the main resource (semantics §4.5, trap 43).
  bool update = text_equals(request->operation, TEXT("UPDATE"));
  if (subject.terminating && (update || subject.kind == SUBJECT_POD)) {
    decision->reason = TEXT("terminating");
    return 0;
  }
  const struct ruleset *rules = admission_config_rules(config, request->namespace_name);
  subject.repairs_tolerations = repairs_tolerations(rules);
  old_subject.repairs_tolerations = subject.repairs_tolerations;
  struct run run = {.config = config,
                    .rules = rules,
                    .subject = &subject,
                    .old_subject = old_subject.kind == subject.kind ? &old_subject : NULL,
                    .arena = arena};
  return judge(&run, answer, decision);
}
