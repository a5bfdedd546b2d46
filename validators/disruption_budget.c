// PodDisruptionBudgets over Ray pods that block every node drain or protect nothing (semantics
// §4.6).

#include "admission/rule.h"

enum severity { SEVERITY_DENY, SEVERITY_WARN };
static const char *const severity_names[] = {"deny", "warn", NULL};

struct disruption_budget {
  int max_unavailable;
  int64_t max_min_available;
};

static const struct option options[] = {
    {.key = "maxUnavailable",
     .type = OPTION_ENUM,
     .offset = offsetof(struct disruption_budget, max_unavailable),
     .fallback = "deny",
     .names = severity_names,
     .help = "What maxUnavailable is answered with; warn where Deployments carry ray.io labels"},
    {.key = "maxMinAvailable",
     .type = OPTION_INT,
     .offset = offsetof(struct disruption_budget, max_min_available),
     .fallback = "50",
     .min = 1,
     .max = INT32_MAX,
     .help = "The largest minAvailable that can be satisfied: the limit of max-workers"},
};

// ---- the selector ----

static bool is_ray_key(struct text key) {
  return text_starts_with(key, TEXT("ray.io/"));
}

static bool is_relevant(yyjson_val *selector) {
  yyjson_obj_iter labels = yyjson_obj_iter_with(json_get(selector, "matchLabels"));
  for (yyjson_val *key = yyjson_obj_iter_next(&labels); key != NULL;
       key = yyjson_obj_iter_next(&labels)) {
    if (is_ray_key(json_text(key))) {
      return true;
    }
  }
  yyjson_arr_iter expressions = yyjson_arr_iter_with(json_get(selector, "matchExpressions"));
  for (yyjson_val *item = yyjson_arr_iter_next(&expressions); item != NULL;
       item = yyjson_arr_iter_next(&expressions)) {
    if (is_ray_key(json_get_text(item, "key"))) {
      return true;
    }
  }
  return false;
}

static bool list_has(yyjson_val *list, struct text wanted) {
  yyjson_arr_iter iter = yyjson_arr_iter_with(list);
  for (yyjson_val *item = yyjson_arr_iter_next(&iter); item != NULL;
       item = yyjson_arr_iter_next(&iter)) {
    if (json_is_string(item, wanted)) {
      return true;
    }
  }
  return false;
}

// Is a label with this value let through by the expression? An operator that does not exist is
// refused by the API server.
static bool expression_admits(yyjson_val *expression, struct text value) {
  struct text operation = json_get_text(expression, "operator");
  bool listed = list_has(json_get(expression, "values"), value);
  if (text_equals(operation, TEXT("In"))) {
    return listed;
  }
  if (text_equals(operation, TEXT("NotIn"))) {
    return !listed;
  }
  return !text_equals(operation, TEXT("DoesNotExist"));
}

// Can pods that have the label `key` = `value` be selected, as far as this label goes?
static bool selector_admits(yyjson_val *selector, const char *key, struct text value) {
  yyjson_val *wanted = json_get(json_get(selector, "matchLabels"), key);
  bool admitted = wanted == NULL || json_is_string(wanted, value);
  yyjson_arr_iter iter = yyjson_arr_iter_with(json_get(selector, "matchExpressions"));
  for (yyjson_val *item = yyjson_arr_iter_next(&iter); item != NULL;
       item = yyjson_arr_iter_next(&iter)) {
    if (text_equals(json_get_text(item, "key"), text_of(key))) {
      admitted = admitted && expression_admits(item, value);
    }
  }
  return admitted;
}

// KubeRay labels every head with these two (semantics §1.1).
static bool can_match_heads(yyjson_val *selector) {
  return selector_admits(selector, "ray.io/node-type", TEXT("head")) &&
         selector_admits(selector, "ray.io/group", TEXT("headgroup"));
}

// ---- the budget ----

#define WANTED_BUDGET "minAvailable as a number, such as 1, and no maxUnavailable"

static void check_max_unavailable(yyjson_val *value, const struct disruption_budget *config,
                                  struct findings *findings) {
  bool warn = config->max_unavailable == SEVERITY_WARN;
  findings_add(
      findings,
      (struct finding){
          .level = warn ? FINDING_ADVICE : FINDING_VIOLATION,
          .path = TEXT("spec.maxUnavailable"),
          .message = TEXT("maxUnavailable blocks every eviction of Ray pods for ever, because "
                          "RayCluster has no scale subresource; use a number in minAvailable"),
          .found = value_text(findings, value),
          .wanted = TEXT(WANTED_BUDGET),
          .fix = TEXT("replace maxUnavailable by minAvailable: 1; where a Deployment owns the "
                      "pods, validators.disruption-budget.maxUnavailable: warn admits it"),
          .key = TEXT("maxUnavailable"),
      });
}

static void add_percentage(yyjson_val *value, struct findings *findings) {
  findings_add(findings, (struct finding){
                             .path = TEXT("spec.minAvailable"),
                             .message = findings_text(
                                 findings,
                                 "minAvailable %.*s blocks every eviction of Ray pods for ever, "
                                 "because a percentage needs a scale subresource and RayCluster "
                                 "has none; use a number",
                                 TEXT_ARG(value_text(findings, value))),
                             .found = value_text(findings, value),
                             .wanted = TEXT(WANTED_BUDGET),
                             .fix = TEXT("write minAvailable as a number, such as 1"),
                             .key = TEXT("minAvailable/percentage"),
                         });
}

static void add_too_large(yyjson_val *value, int64_t number, int64_t max,
                          struct findings *findings) {
  struct text written = value_text(findings, value);
  findings_add(findings, (struct finding){
                             .path = TEXT("spec.minAvailable"),
                             .message = findings_text(
                                 findings,
                                 "minAvailable %.*s can never be satisfied and so blocks every "
                                 "eviction, limit is %lld",
                                 TEXT_ARG(written), (long long)max),
                             .found = written,
                             .wanted = findings_text(findings, "at most %lld", (long long)max),
                             .fix = TEXT("lower minAvailable, or raise "
                                         "validators.disruption-budget.maxMinAvailable"),
                             .key = TEXT("minAvailable/large"),
                             .measure = number,
                         });
}

static void advise(struct findings *findings, const char *path, const char *message,
                   struct text found, const char *wanted, const char *fix) {
  findings_add(findings, (struct finding){.level = FINDING_ADVICE,
                                          .path = text_of(path),
                                          .message = text_of(message),
                                          .found = found,
                                          .wanted = text_of(wanted),
                                          .fix = text_of(fix),
                                          .key = text_of(message)});
}

// The whole number that an IntOrString holds. What does not fit into 63 bits is larger than any
// limit; a string without '%' and a fraction are refused by the API server.
static bool whole_number(yyjson_val *value, int64_t *ret_number) {
  struct text digits = json_scalar_text(value);
  if (!yyjson_is_raw(value) || json_int64(value, ret_number)) {
    return yyjson_is_raw(value);
  }
  bool whole = digits.len > 0;
  for (size_t i = 0; i < digits.len; i++) {
    whole = whole && digits.data[i] >= '0' && digits.data[i] <= '9';
  }
  *ret_number = INT64_MAX;
  return whole;
}

static void check_min_available(yyjson_val *value, yyjson_val *selector,
                                const struct disruption_budget *config, struct findings *findings) {
  int64_t number = 0;
  if (text_ends_with(json_text(value), TEXT("%"))) {
    add_percentage(value, findings);
    return;
  }
  if (!whole_number(value, &number)) {
    return;
  }
  if (number > config->max_min_available) {
    add_too_large(value, number, config->max_min_available, findings);
  }
  if (number == 0) {
    advise(findings, "spec.minAvailable", "minAvailable 0 protects nothing", TEXT("0"),
           "at least 1", "set minAvailable to the number of pods that must stay");
  }
  if (number >= 1 && can_match_heads(selector)) {
    advise(findings, "spec.selector",
           "the selector matches heads: a cluster's single head can never be drained",
           TEXT("a selector that heads fulfil"), "ray.io/node-type: worker",
           "add ray.io/node-type: worker to the selector");
  }
}

// Kubernetes, Specifying a Disruption Budget, "Unhealthy Pod Eviction Policy": the default
// IfHealthyBudget keeps a crash-looping worker in place while the budget is not met.
static void check_eviction_policy(yyjson_val *policy, struct findings *findings) {
  if (json_is_string(policy, TEXT("AlwaysAllow"))) {
    return;
  }
  advise(
      findings, "spec.unhealthyPodEvictionPolicy",
      "without unhealthyPodEvictionPolicy AlwaysAllow crash-looping workers block node drains",
      policy == NULL ? TEXT("nothing, which means IfHealthyBudget") : value_text(findings, policy),
      "AlwaysAllow", "set unhealthyPodEvictionPolicy: AlwaysAllow");
}

static void check(const struct subject *subject, const void *settings, struct findings *findings) {
  const struct disruption_budget *config = settings;
  yyjson_val *spec = json_get(subject->object, "spec");
  yyjson_val *selector = json_get(spec, "selector");
  if (!is_relevant(selector)) {
    return;
  }
  yyjson_val *max_unavailable = json_get(spec, "maxUnavailable");
  if (max_unavailable != NULL) {
    check_max_unavailable(max_unavailable, config, findings);
  }
  check_min_available(json_get(spec, "minAvailable"), selector, config, findings);
  check_eviction_policy(json_get(spec, "unhealthyPodEvictionPolicy"), findings);
}

const struct validator validator_disruption_budget = {
    .id = "V14",
    .name = "disruption-budget",
    .summary = "PodDisruptionBudgets over Ray pods can be satisfied",
    .why =
        "For pods of an arbitrary controller Kubernetes supports only a whole number in "
        "minAvailable: maxUnavailable and percentages need the controller's scale subresource, "
        "RayCluster has none, and the budget then allows no disruption for ever, so no node "
        "with such a pod can be drained. The same goes for more pods than a cluster can have. "
        "Budgets whose selector names no ray.io label are not looked at. Two budgets over one "
        "pod, which block its eviction too, cannot be seen without asking the API server.",
    .source =
        "Kubernetes, Specifying a Disruption Budget for your Application, Arbitrary "
        "workloads and arbitrary selectors; the RayCluster CRD (subresources: status only)",
    .subjects = SUBJECT_PDB,
    .default_action = ACTION_DENY,
    .default_pod_action = ACTION_OFF,
    .options = options,
    .option_count = COUNT_OF(options),
    .options_size = sizeof(struct disruption_budget),
    .check = check,
};
