#include "cluster/resource.h"

#include <string.h>

#include "admission/buffer.h"
#include "cluster/query.h"

const struct resource resource_configmaps = {"", "v1", "configmaps", "ConfigMap", true};
const struct resource resource_deployments = {"apps", "v1", "deployments", "Deployment", true};
const struct resource resource_endpointslices = {"discovery.k8s.io", "v1", "endpointslices",
                                                 "EndpointSlice", true};
const struct resource resource_events = {"", "v1", "events", "Event", true};
const struct resource resource_mutating_webhooks = {"admissionregistration.k8s.io", "v1",
                                                    "mutatingwebhookconfigurations",
                                                    "MutatingWebhookConfiguration", false};
const struct resource resource_namespaces = {"", "v1", "namespaces", "Namespace", false};
const struct resource resource_nodes = {"", "v1", "nodes", "Node", false};
const struct resource resource_pod_disruption_budgets = {"policy", "v1", "poddisruptionbudgets",
                                                         "PodDisruptionBudget", true};
const struct resource resource_pods = {"", "v1", "pods", "Pod", true};
const struct resource resource_ray_clusters = {"ray.io", "v1", "rayclusters", "RayCluster", true};
const struct resource resource_ray_cron_jobs = {"ray.io", "v1", "raycronjobs", "RayCronJob", true};
const struct resource resource_ray_jobs = {"ray.io", "v1", "rayjobs", "RayJob", true};
const struct resource resource_ray_services = {"ray.io", "v1", "rayservices", "RayService", true};
const struct resource resource_secrets = {"", "v1", "secrets", "Secret", true};
const struct resource resource_self_access_reviews = {
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", false};
const struct resource resource_services = {"", "v1", "services", "Service", true};
const struct resource resource_validating_webhooks = {"admissionregistration.k8s.io", "v1",
                                                      "validatingwebhookconfigurations",
                                                      "ValidatingWebhookConfiguration", false};

// What the names of any object may have (IsValidPathSegmentName in k8s.io/apimachinery: not "." or
// "..", no "/" and no "%").
static bool is_segment(const char *segment) {
  struct text text = text_of(segment);
  return text.len > 0 && !text_equals(text, TEXT(".")) && !text_equals(text, TEXT("..")) &&
         memchr(text.data, '/', text.len) == NULL && memchr(text.data, '%', text.len) == NULL;
}

static bool put_segment(struct buffer *path, const char *segment) {
  buffer_append(path, "/", 1);
  query_escape(path, segment);
  return is_segment(segment);
}

bool resource_path(const struct resource *resource, const char *namespace_, const char *name,
                   char path[RESOURCE_PATH_MAX]) {
  buffer_auto out = {.max = RESOURCE_PATH_MAX};
  bool good = put_segment(&out, resource->group[0] == '\0' ? "api" : "apis");
  if (resource->group[0] != '\0') {
    good = put_segment(&out, resource->group) && good;
  }
  good = put_segment(&out, resource->version) && good;
  if (resource->namespaced && namespace_ != NULL && namespace_[0] != '\0') {
    good = put_segment(&out, "namespaces") && put_segment(&out, namespace_) && good;
  }
  good = put_segment(&out, resource->plural) && good;
  if (name != NULL) {
    good = put_segment(&out, name) && good;
  }
  buffer_append(&out, "", 1);
  path[0] = '\0';
  if (good && !out.failed) {
    memcpy(path, out.data, out.len);
  }
  return good && !out.failed;
}
