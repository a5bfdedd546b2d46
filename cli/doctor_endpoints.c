#include <string.h>

#include "cli/doctor.h"
#include "cli/object.h"

// Does anybody answer the calls of a webhook?

#define CHECK "webhook-endpoints"
#define SERVICE_LABEL "kubernetes.io/service-name"

static size_t ready_endpoints(const json_t *slice) {
  const json_t *endpoints = json_object_get(slice, "endpoints");
  size_t count = 0;
  for (size_t i = 0; i < json_array_size(endpoints); i++) {
    // Absent means unknown, which is to be read as ready (discovery/v1 EndpointConditions).
    const json_t *ready = object_at(json_array_get(endpoints, i), "conditions.ready");
    count += json_is_false(ready) ? 0 : 1;
  }
  return count;
}

static size_t ready_of_service(const json_t *slices, const char *namespace_, const char *name) {
  size_t count = 0;
  for (size_t i = 0; i < json_array_size(slices); i++) {
    const json_t *slice = json_array_get(slices, i);
    const json_t *label = json_object_get(object_at(slice, "metadata.labels"), SERVICE_LABEL);
    if (json_is_string(label) && strcmp(json_string_value(label), name) == 0 &&
        strcmp(object_namespace(slice), namespace_) == 0) {
      count += ready_endpoints(slice);
    }
  }
  return count;
}

static bool has_port(const json_t *service, json_int_t wanted) {
  const json_t *ports = object_at(service, "spec.ports");
  for (size_t i = 0; i < json_array_size(ports); i++) {
    if (object_integer(json_array_get(ports, i), "port", 0) == wanted) {
      return true;
    }
  }
  return false;
}

static void report(const struct hook *hook, const char *what, const char *fix,
                   struct finding_list *findings) {
  struct finding_row row = {
      .severity = hook->fails || hook->is_ours ? SEVERITY_ERROR : SEVERITY_WARNING,
      .check = CHECK,
      .where = hook->where,
      .what = what,
      .why = hook->fails ? "failurePolicy is Fail: every request that it covers is refused"
                         : "failurePolicy is Ignore: requests go through without it, each after "
                           "waiting for it",
      .fix = fix,
  };
  finding_add(findings, &row);
}

static void check(const struct snapshot *snapshot, const struct hook *hook,
                  struct finding_list *findings) {
  const json_t *reference = object_at(hook->webhook, "clientConfig.service");
  if (reference == NULL) {
    return;  // by url: nobody here knows who should answer
  }
  const char *namespace_ = object_string(reference, "namespace");
  const char *name = object_string(reference, "name");
  const json_t *service = object_find(snapshot->services, namespace_, name);
  const char *removal = finding_text(findings, "install its server again, or: kubectl delete %s %s",
                                     hook->kind, object_name(hook->configuration));
  if (service == NULL) {
    report(hook, finding_text(findings, "its Service %s/%s does not exist", namespace_, name),
           removal, findings);
    return;
  }
  json_int_t port = object_integer(reference, "port", 443);
  if (!has_port(service, port)) {
    report(hook,
           finding_text(findings, "its Service %s/%s has no port %lld", namespace_, name,
                        (long long)port),
           finding_text(findings, "kubectl -n %s edit service %s", namespace_, name), findings);
    return;
  }
  bool is_external = strcmp(object_string(service, "spec.type"), "ExternalName") == 0;
  if (!is_external && snapshot->endpoint_slices != NULL &&
      ready_of_service(snapshot->endpoint_slices, namespace_, name) == 0) {
    report(hook,
           finding_text(findings, "its Service %s/%s has no ready endpoint", namespace_, name),
           finding_text(findings,
                        "kubectl -n %s get pods; kubectl -n %s describe endpointslices "
                        "-l " SERVICE_LABEL "=%s",
                        namespace_, namespace_, name),
           findings);
  }
}

void doctor_check_endpoints(const struct snapshot *snapshot, struct finding_list *findings) {
  if (snapshot->services != NULL) {
    doctor_each_hook(snapshot, findings, check);
  }
}
