#include <stdlib.h>
#include <string.h>

#include "cli/doctor.h"
#include "cli/object.h"

// PodDisruptionBudgets that can never allow an eviction: a node drain that meets one waits for
// ever.

#define CHECK "disruption-budget"

static bool mentions_ray(const json_t *budget) {
  const char *key = NULL;
  json_t *value = NULL;
  json_object_foreach(object_at(budget, "spec.selector.matchLabels"), key, value) {
    if (text_starts_with(text_of(key), TEXT("ray.io/"))) {
      return true;
    }
  }
  const json_t *expressions = object_at(budget, "spec.selector.matchExpressions");
  for (size_t i = 0; i < json_array_size(expressions); i++) {
    struct text name = text_of(object_string(json_array_get(expressions, i), "key"));
    if (text_starts_with(name, TEXT("ray.io/"))) {
      return true;
    }
  }
  return false;
}

// True for an integer or a percentage of this number.
static bool is_number(const json_t *value, json_int_t number, const char *percent) {
  return (json_is_integer(value) && json_integer_value(value) == number) ||
         (json_is_string(value) && strcmp(json_string_value(value), percent) == 0);
}

// Why it can never allow an eviction; NULL if it can.
static const char *never(const json_t *budget, struct finding_list *findings) {
  const json_t *condition = object_condition(budget, "DisruptionAllowed");
  json_int_t expected = object_integer(budget, "status.expectedPods", 0);
  const json_t *least = object_at(budget, "spec.minAvailable");
  if (strcmp(object_string(condition, "reason"), "SyncFailed") == 0) {
    return finding_text(findings, "its controller cannot count its pods: %s",
                        object_string(condition, "message"));
  }
  if (is_number(object_at(budget, "spec.maxUnavailable"), 0, "0%")) {
    return "maxUnavailable is 0";
  }
  if (is_number(least, -1, "100%")) {
    return "minAvailable is 100%";
  }
  if (json_is_integer(least) && expected > 0 && json_integer_value(least) >= expected) {
    return finding_text(findings, "minAvailable is %lld, and there are %lld pods",
                        (long long)json_integer_value(least), (long long)expected);
  }
  return NULL;
}

void doctor_check_budgets(const struct snapshot *snapshot, struct finding_list *findings) {
  for (size_t i = 0; i < json_array_size(snapshot->budgets); i++) {
    const json_t *budget = json_array_get(snapshot->budgets, i);
    const char *reason = never(budget, findings);
    if (reason == NULL) {
      continue;
    }
    bool is_ray = mentions_ray(budget);
    struct finding_row row = {
        .severity = is_ray ? SEVERITY_ERROR : SEVERITY_WARNING,
        .check = CHECK,
        .where = finding_text(findings, "PodDisruptionBudget/%s in %s", object_name(budget),
                              object_namespace(budget)),
        .what = finding_text(findings, "never allows an eviction: %s", reason),
        .why = "every drain of a node with such a pod waits for ever",
        .fix = finding_text(findings, "kubectl -n %s edit poddisruptionbudget %s; %s",
                            object_namespace(budget), object_name(budget),
                            is_ray ? "for Ray workers: minAvailable: 1, and no maxUnavailable"
                                   : "let one pod less be available than there are"),
    };
    finding_add(findings, &row);
  }
}
