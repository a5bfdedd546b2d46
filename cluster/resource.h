#pragma once

#include <stdbool.h>
#include <stddef.h>

// The resources that rayfix reads or writes, as the paths of the API name them.
struct resource {
  const char *group;    // "" for the core
  const char *version;  // "v1"
  const char *plural;   // "secrets"
  const char *kind;     // "Secret"
  bool namespaced;
};

extern const struct resource resource_configmaps;
extern const struct resource resource_deployments;
extern const struct resource resource_endpointslices;
extern const struct resource resource_events;  // core/v1
extern const struct resource resource_mutating_webhooks;
extern const struct resource resource_namespaces;
extern const struct resource resource_nodes;
extern const struct resource resource_pod_disruption_budgets;
extern const struct resource resource_pods;
extern const struct resource resource_ray_clusters;
extern const struct resource resource_ray_cron_jobs;
extern const struct resource resource_ray_jobs;
extern const struct resource resource_ray_services;
extern const struct resource resource_secrets;
extern const struct resource resource_self_access_reviews;
extern const struct resource resource_services;
extern const struct resource resource_validating_webhooks;

// Room for the longest path: prefix, group, namespace and name of 253 bytes each, escaped
// threefold.
#define RESOURCE_PATH_MAX 2560

// Writes "/api/v1/namespaces/NS/secrets/NAME" (percent-encoded where needed). `namespace_` NULL or
// "": all namespaces, or the resource has none; `name` NULL: the collection.
// False if a part may not stand in a path ("", ".", "..", with a slash) or it does not fit.
bool resource_path(const struct resource *resource, const char *namespace_, const char *name,
                   char path[RESOURCE_PATH_MAX]);
