#include "cluster/identity.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "admission/text.h"
#include "cluster/calls.h"
#include "cluster/client.h"
#include "cluster/clock.h"
#include "cluster/fault_set.h"
#include "cluster/identity_check.h"

// Its UID is what all tools take for the identity of a cluster: it is made with the cluster and
// nobody may delete it (the NamespaceLifecycle admission plugin).
#define NAMESPACE "kube-system"

static int foreign(const struct cluster *cluster, const char *found, struct fault *fault) {
  return fault_set(
      fault, FAULT_FOREIGN,
      "this is another cluster: %s (%s) answers with the UID %s of namespace " NAMESPACE
      ", expected %s; nothing was written",
      cluster->server, cluster->origin, found, cluster->uid);
}

static bool is_uid(const char *uid) {
  struct text text = text_of(uid);
  return text.len > 0 && text.len < CLUSTER_UID_MAX && !text_has_controls(text);
}

int cluster_identity_expect(struct cluster *cluster, const char *uid, struct fault *fault) {
  if (!is_uid(uid)) {
    return fault_set(
        fault, FAULT_SETTINGS, "the expected UID of the cluster: found %s, wanted at most %d bytes",
        uid == NULL || uid[0] == '\0' ? "none" : "more or other bytes", CLUSTER_UID_MAX - 1);
  }
  if (cluster->uid[0] != '\0' && strcmp(cluster->uid, uid) != 0) {
    return fault_set(fault, FAULT_FOREIGN,
                     "%s (%s) is the cluster with the UID %s of namespace " NAMESPACE
                     ", expected %s",
                     cluster->server, cluster->origin, cluster->uid, uid);
  }
  snprintf(cluster->uid, sizeof cluster->uid, "%s", uid);
  return 0;
}

const char *cluster_identity(const struct cluster *cluster) {
  return cluster->uid;
}

static int compare(struct cluster *cluster, const json_t *namespace_, struct fault *fault) {
  const json_t *value = json_object_get(json_object_get(namespace_, "metadata"), "uid");
  const char *uid = json_string_value(value);
  if (!is_uid(uid) || json_string_length(value) != strlen(uid)) {
    return fault_set(fault, FAULT_PROTOCOL, "namespace " NAMESPACE " of %s has no UID",
                     cluster->server);
  }
  if (cluster->uid[0] == '\0') {
    snprintf(cluster->uid, sizeof cluster->uid, "%s", uid);
  }
  return strcmp(cluster->uid, uid) == 0 ? 0 : foreign(cluster, uid, fault);
}

int cluster_identity_check(struct cluster *cluster, unsigned budget_ms, struct fault *fault) {
  json_t *namespace_ = NULL;
  cluster->verified = (struct connection){.local_port = 0};
  if (cluster_get(cluster, &resource_namespaces, NULL, NAMESPACE, budget_ms, &namespace_, fault) !=
      0) {
    return -1;
  }
  int status = compare(cluster, namespace_, fault);
  if (status == 0) {
    cluster->verified = cluster->last;
    cluster->verified_ms = cluster_now_ms();
  }
  json_decref(namespace_);
  return status;
}

int identity_verify(struct cluster *cluster, bool now, unsigned budget_ms, struct fault *fault) {
  int64_t age = cluster_now_ms() - cluster->verified_ms;
  if (!now && cluster->verified.local_port != 0 && age < CLUSTER_IDENTITY_MS) {
    return 0;
  }
  return cluster_identity_check(cluster, budget_ms, fault);
}
