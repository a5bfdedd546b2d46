#pragma once

#include <jansson.h>
#include <time.h>

#include "cli/finding_list.h"

// The checks of `rayfix doctor`: pure functions over objects that were listed before, so that they
// are tested with objects from files.

// Lists as the API gave them; NULL where it did not (a finding says why), and nothing is said then.
struct snapshot {
  time_t now;
  const char *own_namespace;  // "rayfix-system"
  const char *own_name;       // "rayfix": webhook configurations, Deployment, Service
  const char *own_version;    // of this program
  const char *cluster_uid;    // of kube-system
  json_t *version;            // /version
  json_t *namespaces;
  json_t *nodes;
  json_t *services;
  json_t *endpoint_slices;
  json_t *mutating;
  json_t *validating;
  json_t *budgets;
  json_t *deployments;
  json_t *own_pods;     // of own_namespace
  json_t *system_pods;  // of kube-system
  json_t *certificate;  // the Secret rayfix-certificates
  json_t *access;       // SubjectAccessReviews of the server's service account, answered
};

// Each appends what it finds.
void doctor_check_endpoints(const struct snapshot *snapshot, struct finding_list *findings);
void doctor_check_bundles(const struct snapshot *snapshot, struct finding_list *findings);
void doctor_check_deadlocks(const struct snapshot *snapshot, struct finding_list *findings);
void doctor_check_installation(const struct snapshot *snapshot, struct finding_list *findings);
void doctor_check_certificate(const struct snapshot *snapshot, struct finding_list *findings);
void doctor_check_identity(const struct snapshot *snapshot, struct finding_list *findings);
void doctor_check_access(const struct snapshot *snapshot, struct finding_list *findings);
void doctor_check_budgets(const struct snapshot *snapshot, struct finding_list *findings);
void doctor_check_nodes(const struct snapshot *snapshot, struct finding_list *findings);
void doctor_check_dns(const struct snapshot *snapshot, struct finding_list *findings);

// All of them.
void doctor_check(const struct snapshot *snapshot, struct finding_list *findings);

// ---- between the files doctor*.c ----

// False if the server has no access to the API: certificates are mounted, and somebody else
// (cert-manager) renews them and writes the bundles. Also true where its Deployment is not known.
bool doctor_server_has_token(const struct snapshot *snapshot);

// One webhook of a configuration.
struct hook {
  const char *kind;  // MutatingWebhookConfiguration or ValidatingWebhookConfiguration
  const json_t *configuration;
  const json_t *webhook;
  const char *where;  // for findings
  bool fails;         // failurePolicy Fail
  bool is_ours;
};

typedef void (*hook_fn)(const struct snapshot *snapshot, const struct hook *hook,
                        struct finding_list *findings);

// Calls `each` for every webhook of the cluster.
void doctor_each_hook(const struct snapshot *snapshot, struct finding_list *findings, hook_fn each);
