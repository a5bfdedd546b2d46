#pragma once

#include <jansson.h>

#include "cluster/cluster.h"
#include "cluster/resource.h"

// Calls on one object or list. Each returns 0, or -1 with a fault.
//
// `budget_ms` bounds the whole call: connecting, every attempt and the waits between them
// (0: CLUSTER_BUDGET_MS). Tried again, with exponential backoff and jitter, or after Retry-After:
//   - 429, and 5xx with Retry-After: always, since the API server then did nothing (as client-go);
//   - a connection that could not be made: always, since nothing was sent;
//   - 500, 502, 503, 504 and a connection that broke: what may be done twice (get, list, update,
//     delete, apply; not create or JSON patch).
// The last fault is reported when the budget does not allow another attempt.
//
// Every write first compares the cluster's identity, see cluster/identity.h.
//
// `namespace_` is NULL for a resource without namespaces. ret_* objects are new references and may
// be NULL when the caller does not want them; objects that are given are borrowed.

#define CLUSTER_BUDGET_MS 30000U

// The field manager of everything that we write.
#define CLUSTER_FIELD_MANAGER "rayfix"

int cluster_get(struct cluster *cluster, const struct resource *resource, const char *namespace_,
                const char *name, unsigned budget_ms, json_t **ret_object, struct fault *fault);

// Room for a resourceVersion with its NUL. It is opaque; real ones have up to 20 digits.
#define CLUSTER_VERSION_MAX 128

struct cluster_selection {
  const char *namespace_;      // NULL: all
  const char *label_selector;  // NULL: all
  const char *field_selector;  // NULL: all; "metadata.name=x" where RBAC allows one name only
  unsigned page;               // objects of one answer; 0: CLUSTER_PAGE
};

// 100 large pods are 1.5 MB. What is above the reply limit is asked for in smaller pages.
#define CLUSTER_PAGE 100U

// The whole list, page by page; from the start again when it is too old to go on (410).
// *ret_items is an array of objects (which carry no kind or apiVersion: the API leaves them out).
// `version`, unless NULL, gets the resourceVersion to watch from.
int cluster_list(struct cluster *cluster, const struct resource *resource,
                 const struct cluster_selection *selection, unsigned budget_ms, json_t **ret_items,
                 char version[CLUSTER_VERSION_MAX], struct fault *fault);

// FAULT_ALREADY_EXISTS if somebody was first. apiVersion and kind must be in `object`.
int cluster_create(struct cluster *cluster, const struct resource *resource, const char *namespace_,
                   json_t *object, unsigned budget_ms, json_t **ret_object, struct fault *fault);

// Replaces the object. With metadata.resourceVersion in it: FAULT_CONFLICT if it was changed since.
int cluster_update(struct cluster *cluster, const struct resource *resource, const char *namespace_,
                   const char *name, json_t *object, unsigned budget_ms, json_t **ret_object,
                   struct fault *fault);

enum patch_type {
  PATCH_JSON,   // RFC 6902: an array; a "test" that fails gives FAULT_INVALID (422)
  PATCH_MERGE,  // RFC 7386
  PATCH_APPLY,  // server-side apply as CLUSTER_FIELD_MANAGER; creates what is missing
};

struct cluster_patch {
  enum patch_type type;
  json_t *body;
  bool force;  // PATCH_APPLY: take fields over from other managers; else FAULT_CONFLICT
};

int cluster_patch(struct cluster *cluster, const struct resource *resource, const char *namespace_,
                  const char *name, const struct cluster_patch *patch, unsigned budget_ms,
                  json_t **ret_object, struct fault *fault);

// `uid`, unless NULL: only if it is still this object; else FAULT_CONFLICT.
int cluster_delete(struct cluster *cluster, const struct resource *resource, const char *namespace_,
                   const char *name, const char *uid, unsigned budget_ms, struct fault *fault);

// Creates an object that the API server answers and does not keep (SelfSubjectAccessReview): no
// identity check, since nothing is written.
int cluster_ask(struct cluster *cluster, const struct resource *resource, json_t *object,
                unsigned budget_ms, json_t **ret_object, struct fault *fault);

// Gets any path of the API as JSON, e.g. "/version".
int cluster_get_path(struct cluster *cluster, const char *path, unsigned budget_ms,
                     json_t **ret_object, struct fault *fault);

// Gets any path as text, e.g. metrics of a pod through the API server's proxy. *ret_text is
// malloc'ed and NUL-terminated.
int cluster_get_text(struct cluster *cluster, const char *path, unsigned budget_ms, char **ret_text,
                     size_t *ret_len, struct fault *fault);
