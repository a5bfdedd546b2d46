#include "cli/doctor_snapshot.h"

#include <string.h>

#include "cli/object.h"
#include "cluster/calls.h"
#include "cluster/identity.h"

// For one list; a person waits.
#define BUDGET_MS 20000U

#define SECRET "rayfix-certificates"

static const struct resource subject_access_reviews = {
    "authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", false};

struct taking {
  struct cluster *cluster;
  struct snapshot *snapshot;
  struct finding_list *findings;
};

static void not_checked(struct taking *taking, const char *what, const struct fault *fault) {
  struct finding_row row = {
      .severity = fault->kind == FAULT_FORBIDDEN ? SEVERITY_NOTE : SEVERITY_WARNING,
      .check = "not-checked",
      .where = finding_text(taking->findings, "%s", what),
      .what = finding_text(taking->findings, "could not be looked at: %s", fault->error.text),
      .why = "what depends on it was not checked",
      .fix = fault->kind == FAULT_FORBIDDEN
                 ? "run it with that permission; most are in the ClusterRole rayfix-viewer"
                 : "",
  };
  finding_add(taking->findings, &row);
}

static json_t *list(struct taking *taking, const struct resource *resource,
                    const char *namespace_) {
  json_t *items = NULL;
  struct fault fault;
  struct cluster_selection selection = {.namespace_ = namespace_};
  if (cluster_list(taking->cluster, resource, &selection, BUDGET_MS, &items, NULL, &fault) != 0) {
    not_checked(taking, resource->plural, &fault);
  }
  return items;
}

struct permission {
  const char *verb;
  const char *group;
  const char *resource;
  const char *name;  // NULL: any; "": the installation's
  bool in_namespace;
};

// deploy/base/role.yaml and cluster-role.yaml.
static const struct permission permissions[] = {
    {"get", "", "secrets", SECRET, true},
    {"list", "", "secrets", SECRET, true},
    {"watch", "", "secrets", SECRET, true},
    {"update", "", "secrets", SECRET, true},
    {"create", "", "secrets", NULL, true},
    {"create", "", "events", NULL, true},
    {"get", "admissionregistration.k8s.io", "mutatingwebhookconfigurations", "", false},
    {"watch", "admissionregistration.k8s.io", "mutatingwebhookconfigurations", "", false},
    {"patch", "admissionregistration.k8s.io", "mutatingwebhookconfigurations", "", false},
    {"get", "admissionregistration.k8s.io", "validatingwebhookconfigurations", "", false},
    {"watch", "admissionregistration.k8s.io", "validatingwebhookconfigurations", "", false},
    {"patch", "admissionregistration.k8s.io", "validatingwebhookconfigurations", "", false},
    {"get", "", "namespaces", "kube-system", false},
};

static json_t *question(const struct snapshot *snapshot, const struct permission *permission,
                        const char *user) {
  const char *name = permission->name != NULL && permission->name[0] == '\0' ? snapshot->own_name
                                                                             : permission->name;
  return json_pack("{s:s, s:s, s:{s:s, s:{s:s, s:s, s:s, s:s*, s:s*}}}", "apiVersion",
                   "authorization.k8s.io/v1", "kind", "SubjectAccessReview", "spec", "user", user,
                   "resourceAttributes", "verb", permission->verb, "group", permission->group,
                   "resource", permission->resource, "name", name, "namespace",
                   permission->in_namespace ? snapshot->own_namespace : NULL);
}

// What may the server's service account? Stops at the first question that may not be asked.
static void ask_access(struct taking *taking) {
  struct snapshot *snapshot = taking->snapshot;
  const char *user = finding_text(taking->findings, "system:serviceaccount:%s:%s",
                                  snapshot->own_namespace, snapshot->own_name);
  snapshot->access = json_array();
  for (size_t i = 0; i < sizeof permissions / sizeof permissions[0]; i++) {
    json_auto_t *asked = question(snapshot, &permissions[i], user);
    json_t *answer = NULL;
    struct fault fault = {.kind = FAULT_MEMORY, .error = {"out of memory"}};
    if (asked == NULL || cluster_ask(taking->cluster, &subject_access_reviews, asked, BUDGET_MS,
                                     &answer, &fault) != 0) {
      not_checked(taking, "permissions of the server", &fault);
      return;
    }
    json_array_append_new(snapshot->access, answer);
  }
}

// Only its public part is kept.
static void get_certificate(struct taking *taking) {
  struct snapshot *snapshot = taking->snapshot;
  struct fault fault;
  if (cluster_get(taking->cluster, &resource_secrets, snapshot->own_namespace, SECRET, BUDGET_MS,
                  &snapshot->certificate, &fault) != 0) {
    // With mounted certificates (cert-manager) there is none.
    if (fault.kind != FAULT_NOT_FOUND) {
      not_checked(taking, "the serving certificate", &fault);
    }
    return;
  }
  json_t *data = object_at(snapshot->certificate, "data");
  json_object_del(data, "tls.key");
  json_object_del(data, "ca.key");
  json_object_del(data, "next-ca.key");
}

int snapshot_take(struct cluster *cluster, struct snapshot *ret_snapshot,
                  struct finding_list *findings, struct fault *fault) {
  struct snapshot *snapshot = ret_snapshot;
  struct taking taking = {cluster, snapshot, findings};
  if (cluster_get_path(cluster, "/version", BUDGET_MS, &snapshot->version, fault) != 0) {
    return -1;
  }
  struct fault later;
  if (cluster_identity_check(cluster, BUDGET_MS, &later) != 0) {
    not_checked(&taking, "the identity of the cluster", &later);
  }
  snapshot->cluster_uid = cluster_identity(cluster);
  snapshot->mutating = list(&taking, &resource_mutating_webhooks, NULL);
  snapshot->validating = list(&taking, &resource_validating_webhooks, NULL);
  snapshot->namespaces = list(&taking, &resource_namespaces, NULL);
  snapshot->nodes = list(&taking, &resource_nodes, NULL);
  snapshot->services = list(&taking, &resource_services, NULL);
  snapshot->endpoint_slices = list(&taking, &resource_endpointslices, NULL);
  snapshot->budgets = list(&taking, &resource_pod_disruption_budgets, NULL);
  snapshot->deployments = list(&taking, &resource_deployments, NULL);
  snapshot->own_pods = list(&taking, &resource_pods, snapshot->own_namespace);
  snapshot->system_pods = list(&taking, &resource_pods, "kube-system");
  get_certificate(&taking);
  if (object_find(snapshot->deployments, snapshot->own_namespace, snapshot->own_name) != NULL &&
      doctor_server_has_token(snapshot)) {
    ask_access(&taking);
  }
  return 0;
}

bool snapshot_is_empty(const struct snapshot *snapshot) {
  const json_t *lists[] = {snapshot->namespaces,  snapshot->nodes,           snapshot->services,
                           snapshot->deployments, snapshot->endpoint_slices, snapshot->mutating,
                           snapshot->validating,  snapshot->budgets,         snapshot->own_pods,
                           snapshot->system_pods, snapshot->certificate};
  for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
    if (lists[i] != NULL) {
      return false;
    }
  }
  return true;
}

void snapshot_close(struct snapshot *snapshot) {
  json_t *all[] = {snapshot->version,    snapshot->namespaces,      snapshot->nodes,
                   snapshot->services,   snapshot->endpoint_slices, snapshot->mutating,
                   snapshot->validating, snapshot->budgets,         snapshot->deployments,
                   snapshot->own_pods,   snapshot->system_pods,     snapshot->certificate,
                   snapshot->access};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    json_decref(all[i]);
  }
}
