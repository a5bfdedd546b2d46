#include <string.h>

#include "cli/doctor.h"
#include "cli/object.h"

// A webhook with failurePolicy Fail that must be asked before its own pods, or those of
// kube-system, may start: once its pods are away, nothing brings them back (Kubernetes, "Admission
// Webhook Good Practices": avoid deadlocks).

#define CHECK "webhook-deadlock"

static bool has_word(const json_t *list, const char *word) {
  for (size_t i = 0; i < json_array_size(list); i++) {
    const char *item = json_string_value(json_array_get(list, i));
    if (item != NULL && (strcmp(item, word) == 0 || strcmp(item, "*") == 0)) {
      return true;
    }
  }
  return false;
}

// True if a rule covers the creation of pods. "*/*" stands for every resource and subresource.
static bool covers_pods(const json_t *webhook) {
  const json_t *rules = json_object_get(webhook, "rules");
  for (size_t i = 0; i < json_array_size(rules); i++) {
    const json_t *rule = json_array_get(rules, i);
    const json_t *resources = json_object_get(rule, "resources");
    bool is_pod = has_word(resources, "pods") || has_word(resources, "*/*");
    if (is_pod && has_word(json_object_get(rule, "operations"), "CREATE") &&
        has_word(json_object_get(rule, "apiGroups"), "") &&
        strcmp(object_string(rule, "scope"), "Cluster") != 0) {
      return true;
    }
  }
  return false;
}

// Labels of a namespace; the one that every namespace has, if it cannot be had.
static json_t *labels_of(const struct snapshot *snapshot, const char *name) {
  const json_t *namespace_ = object_find(snapshot->namespaces, NULL, name);
  json_t *labels = object_at(namespace_, "metadata.labels");
  return labels != NULL ? json_incref(labels)
                        : json_pack("{s:s}", "kubernetes.io/metadata.name", name);
}

// True if the objectSelector selects some pod of the list that `selector` (of a Service, a map of
// labels, NULL: all) selects. Without any pod to look at, the Service's labels stand for one.
static bool selects_a_pod(const json_t *webhook, const json_t *pods, const json_t *selector,
                          const char *namespace_) {
  const json_t *wanted = json_object_get(webhook, "objectSelector");
  json_auto_t *as_selector = json_pack("{s:O*}", "matchLabels", selector);
  size_t seen = 0;
  for (size_t i = 0; i < json_array_size(pods); i++) {
    const json_t *pod = json_array_get(pods, i);
    const json_t *labels = object_at(pod, "metadata.labels");
    if (strcmp(object_namespace(pod), namespace_) != 0 || !selector_matches(as_selector, labels)) {
      continue;
    }
    seen++;
    if (selector_matches(wanted, labels)) {
      return true;
    }
  }
  return seen == 0 && selector_matches(wanted, selector);
}

static void report(const struct hook *hook, const char *covered, const char *why,
                   struct finding_list *findings) {
  bool has_conditions = json_array_size(json_object_get(hook->webhook, "matchConditions")) > 0;
  struct finding_row row = {
      // What a CEL expression leaves out is not known here.
      .severity = has_conditions ? SEVERITY_WARNING : SEVERITY_ERROR,
      .check = CHECK,
      .where = hook->where,
      .what = finding_text(findings, "failurePolicy Fail covers pods of namespace %s%s", covered,
                           has_conditions ? ", unless its matchConditions leave them out" : ""),
      .why = why,
      .fix = finding_text(findings,
                          "exclude the namespace: add to its namespaceSelector {key: "
                          "kubernetes.io/metadata.name, operator: NotIn, values: [%s]}; kubectl "
                          "edit %s %s",
                          covered, hook->kind, object_name(hook->configuration)),
  };
  finding_add(findings, &row);
}

static void check(const struct snapshot *snapshot, const struct hook *hook,
                  struct finding_list *findings) {
  const json_t *reference = object_at(hook->webhook, "clientConfig.service");
  if (!hook->fails || !covers_pods(hook->webhook)) {
    return;
  }
  const json_t *selector = json_object_get(hook->webhook, "namespaceSelector");
  const char *own = object_string(reference, "namespace");
  json_auto_t *system_labels = labels_of(snapshot, "kube-system");
  if (selector_matches(selector, system_labels) &&
      selects_a_pod(hook->webhook, snapshot->system_pods, NULL, "kube-system")) {
    report(hook, "kube-system",
           "while its server is away, no pod of the network, DNS or kube-proxy can start, and "
           "without these the server cannot either",
           findings);
  }
  if (own[0] == '\0' || strcmp(own, "kube-system") == 0) {
    return;
  }
  json_auto_t *own_labels = labels_of(snapshot, own);
  const json_t *service = object_find(snapshot->services, own, object_string(reference, "name"));
  // Only our own pods were listed; of others' servers the Service's labels are known.
  const json_t *pods = strcmp(own, snapshot->own_namespace) == 0 ? snapshot->own_pods : NULL;
  if (selector_matches(selector, own_labels) &&
      selects_a_pod(hook->webhook, pods, object_at(service, "spec.selector"), own)) {
    report(hook, own,
           "its own pods need it to be created: once all of them are away (a node failure, a "
           "drain, a cluster that was stopped), nothing brings them back",
           findings);
  }
}

void doctor_check_deadlocks(const struct snapshot *snapshot, struct finding_list *findings) {
  doctor_each_hook(snapshot, findings, check);
}
