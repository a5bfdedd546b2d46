#include "admission/rule.h"

static struct text amount_or_none(const struct amount *amount, struct findings *findings) {
  return amount->place == AMOUNT_ABSENT ? TEXT("none") : quantity_text(findings, amount->quantity);
}

static void check_resource(const struct group_view *group, const char *resource,
                           struct amount request, struct findings *findings) {
  const struct container_view *ray = group->pod->ray;
  struct amount limit = container_limit(group, ray, resource);
  bool unreadable = (limit.place == AMOUNT_ABSENT && limit.source != NULL) ||
                    (request.place == AMOUNT_ABSENT && request.source != NULL);
  bool both = limit.place != AMOUNT_ABSENT && request.place != AMOUNT_ABSENT;
  if (unreadable || (both && limit.quantity.nano == request.quantity.nano)) {
    return;
  }
  struct text title = group_title(findings, group);
  struct text requests = amount_or_none(&request, findings);
  struct text limits = amount_or_none(&limit, findings);
  const struct amount *shown = request.place != AMOUNT_ABSENT ? &request : &limit;
  findings_add(
      findings,
      (struct finding){
          .path = amount_path(findings, group, ray, shown, "requests", resource),
          .message = findings_text(
              findings, "%.*s: %s requests (%.*s) differ from limits (%.*s); QoS is not Guaranteed",
              TEXT_ARG(title), resource, TEXT_ARG(requests), TEXT_ARG(limits)),
          .found = requests,
          .wanted = limit.place == AMOUNT_ABSENT ? TEXT("equal requests and limits") : limits,
          .fix = findings_text(findings, "give requests and limits of %s the same value", resource),
          .key = group_key(findings, group, text_of(resource)),
      });
}

// With neither, the class is not Guaranteed either.
static void check_presence(const struct group_view *group, const char *resource,
                           struct findings *findings) {
  const struct container_view *ray = group->pod->ray;
  struct amount request = container_request(group, ray, resource);
  if (request.source != NULL) {
    check_resource(group, resource, request, findings);
    return;
  }
  struct text title = group_title(findings, group);
  findings_add(
      findings,
      (struct finding){
          .path = amount_path(findings, group, ray, &request, "limits", resource),
          .message =
              findings_text(findings, "%.*s: no %s requests and limits; QoS is not Guaranteed",
                            TEXT_ARG(title), resource),
          .found = TEXT("nothing"),
          .wanted = TEXT("equal requests and limits"),
          .fix = findings_text(findings, "give requests and limits of %s the same value", resource),
          .key = group_key(findings, group, text_of(resource)),
      });
}

static void qos_guaranteed_check(const struct subject *subject, const void *options,
                                 struct findings *findings) {
  (void)options;
  for (size_t i = 0; i < subject->group_count; i++) {
    const struct group_view *group = &subject->groups[i];
    if (group->pod->ray != NULL) {
      check_presence(group, "cpu", findings);
      check_presence(group, "memory", findings);
    }
  }
}

const struct validator validator_qos_guaranteed = {
    .id = "V10",
    .name = "qos-guaranteed",
    .summary = "The Ray container's requests equal its limits",
    .why =
        "A node that runs out of memory evicts pods that use more than they requested first; a "
        "pod whose requests equal its limits is of class Guaranteed and goes last. Ray also "
        "takes the limits for what it has, so that a container with lower requests is promised "
        "more than the node keeps for it. Compared by value: \"1\" is \"1000m\".",
    .source = "Kubernetes, Pod Quality of Service Classes",
    .subjects = SUBJECT_RAY | SUBJECT_POD,
    .default_action = ACTION_WARN,
    .default_pod_action = ACTION_OFF,
    .check = qos_guaranteed_check,
};
