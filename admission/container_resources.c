#include "admission/container_resources.h"

#include "admission/group_text.h"
#include "admission/json.h"

static struct amount read_amount(yyjson_val *resources, const char *list, const char *resource,
                                 enum amount_place place) {
  struct amount amount = {.list = list};
  amount.source = json_get(json_get(resources, list), resource);
  if (amount.source != NULL && quantity_parse(json_scalar_text(amount.source), &amount.quantity)) {
    amount.place = place;
  }
  return amount;
}

static struct amount written_amount(const struct group_view *group,
                                    const struct container_view *container, const char *list,
                                    const char *resource) {
  struct amount amount = read_amount(container->resources, list, resource, AMOUNT_IN_CONTAINER);
  if (amount.source == NULL && container == group->pod->ray) {
    amount = read_amount(group->pod->pod_resources, list, resource, AMOUNT_IN_POD);
  }
  return amount;
}

struct amount container_limit(const struct group_view *group,
                              const struct container_view *container, const char *resource) {
  return written_amount(group, container, "limits", resource);
}

// The container's own limit goes before the pod's request.
struct amount container_request(const struct group_view *group,
                                const struct container_view *container, const char *resource) {
  struct amount amount = written_amount(group, container, "requests", resource);
  if (amount.source != NULL && amount.place != AMOUNT_IN_POD) {
    return amount;
  }
  struct amount limit = written_amount(group, container, "limits", resource);
  bool use_limit = amount.source == NULL || limit.place == AMOUNT_IN_CONTAINER;
  return use_limit ? limit : amount;
}

struct amount container_effective(const struct group_view *group,
                                  const struct container_view *container, const char *resource) {
  struct amount limit = written_amount(group, container, "limits", resource);
  struct amount request = written_amount(group, container, "requests", resource);
  bool use_request = request.place != AMOUNT_ABSENT &&
                     (limit.place == AMOUNT_ABSENT || request.quantity.nano > limit.quantity.nano);
  return use_request ? request : limit;
}

struct text amount_path(struct findings *findings, const struct group_view *group,
                        const struct container_view *container, const struct amount *amount,
                        const char *list, const char *resource) {
  if (amount->place == AMOUNT_IN_POD) {
    struct text resources = pod_spec_path(findings, group, "resources");
    return findings_text(findings, "%.*s.%s.%s", TEXT_ARG(resources), amount->list, resource);
  }
  const char *in = amount->place == AMOUNT_ABSENT ? list : amount->list;
  struct text containers = pod_spec_path(findings, group, "containers");
  return findings_text(findings, "%.*s[%zu].resources.%s.%s", TEXT_ARG(containers),
                       container->index, in, resource);
}

struct text quantity_text(struct findings *findings, struct quantity quantity) {
  char text[QUANTITY_TEXT_MAX];
  quantity_format(quantity, text);
  return findings_text(findings, "%s", text);
}

static void check_container(const struct group_view *group, const struct container_view *container,
                            const struct container_rule *rule, struct findings *findings) {
  struct amount amount = container_effective(group, container, rule->resource);
  if (amount.place == AMOUNT_ABSENT || amount.quantity.nano <= rule->max.nano) {
    return;
  }
  struct text title = container_title(findings, group, container);
  struct text found = quantity_text(findings, amount.quantity);
  struct text max = quantity_text(findings, rule->max);
  findings_add(
      findings,
      (struct finding){
          .path = amount_path(findings, group, container, &amount, amount.list, rule->resource),
          .message = findings_text(findings, "%.*s asks for %.*s%s, limit is %.*s", TEXT_ARG(title),
                                   TEXT_ARG(found), rule->unit, TEXT_ARG(max)),
          .found = value_text(findings, amount.source),
          .wanted = findings_text(findings, "at most %.*s", TEXT_ARG(max)),
          .fix = findings_text(findings, "lower the container's %s to %.*s or less, or raise %s",
                               rule->resource, TEXT_ARG(max), rule->option),
          .key = container_key(findings, group, container, rule->resource),
          .measure = amount.quantity.nano,
      });
}

void containers_check(const struct subject *subject, const struct container_rule *rule,
                      struct findings *findings) {
  for (size_t i = 0; i < subject->group_count; i++) {
    const struct group_view *group = &subject->groups[i];
    if (group->is_head && !rule->apply_to_head) {
      continue;
    }
    for (size_t k = 0; k < group->pod->containers.count; k++) {
      const struct container_view *container = &group->pod->containers.items[k];
      if (subject->kind != SUBJECT_POD || container == group->pod->ray) {
        check_container(group, container, rule, findings);
      }
    }
  }
}
