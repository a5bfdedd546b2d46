#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "admission/text.h"
#include "cluster/cluster.h"
#include "cluster/identity.h"
#include "cluster/resource.h"

// The objects that certificates live in, without their JSON: a Secret, the bundles of a webhook
// configuration, and Events about them.

// Makes the memory of JSON values be wiped when it is freed, since they hold keys. Before any other
// use of JSON in the process.
void store_wipe_json(void);

#define STORE_VALUES_MAX 8

struct store_value {
  char *data;  // NUL-terminated; NULL: absent or empty
  size_t len;
};

// What is stored under `keys`. Free with store_secret_free(), which wipes.
struct store_secret {
  bool found;
  bool ours;  // has the label app.kubernetes.io/managed-by: rayfix
  struct store_value values[STORE_VALUES_MAX];
  bool undecoded;                     // a value was no base64
  char cluster_uid[CLUSTER_UID_MAX];  // annotation rayfix.io/cluster-uid; "" without it
  time_t retire_after;                // annotation rayfix.io/retire-after; 0 without it
  struct json_t *object;              // as read, to be written again
};

struct store_place {
  const char *namespace_;
  const char *name;
  const char *const *keys;
  size_t key_count;  // at most STORE_VALUES_MAX
};

// Always asks etcd (no resourceVersion), so that what was written before is seen. A Secret that
// does not exist is no fault: ret->found is false.
int store_secret_read(struct cluster *cluster, const struct store_place *place, unsigned budget_ms,
                      struct store_secret *ret, struct fault *fault);

// Creates the Secret, or updates the one that was read if it has not changed since (else
// FAULT_CONFLICT, FAULT_ALREADY_EXISTS). Keys, labels and annotations of others stay. Marks it as
// ours and with the UID of the cluster.
int store_secret_write(struct cluster *cluster, const struct store_place *place,
                       const struct store_secret *read, const struct text *values,
                       time_t retire_after, unsigned budget_ms, struct fault *fault);

void store_secret_free(struct store_secret *secret);

#define STORE_BUNDLES_MAX 8

// A webhook configuration. Free with store_webhooks_free().
struct store_webhooks {
  bool found;
  char version[128];
  struct {
    char name[256];
    char *pem;  // decoded; NULL: empty
    size_t len;
    bool undecoded;  // no base64
  } bundles[STORE_BUNDLES_MAX];
  size_t count;
};

// `resource`: &resource_mutating_webhooks or &resource_validating_webhooks. One that does not exist
// is no fault.
int store_webhooks_read(struct cluster *cluster, const struct resource *resource, const char *name,
                        unsigned budget_ms, struct store_webhooks *ret, struct fault *fault);

// Writes caBundle of the webhooks whose `pems` are not empty, and of the others what `read` holds,
// by server-side apply of nothing but that field (tried on 1.36: webhooks merge by name, and
// neither `kubectl apply` nor `kubectl diff` of a manifest without it touch it). FAULT_CONFLICT if
// the configuration has changed since.
int store_webhooks_write(struct cluster *cluster, const struct resource *resource, const char *name,
                         const struct store_webhooks *read, const struct text *pems,
                         unsigned budget_ms, struct fault *fault);

void store_webhooks_free(struct store_webhooks *webhooks);

struct store_event {
  const char *namespace_;
  const char *secret;  // that it is about
  const char *reason;  // CamelCase
  const char *message;
  bool warning;
};

int store_event_write(struct cluster *cluster, const struct store_event *event, unsigned budget_ms,
                      struct fault *fault);
