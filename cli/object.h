#pragma once

#include <jansson.h>
#include <stdbool.h>

// Reading Kubernetes objects that came from the API (jansson). Nothing here fails: what is absent
// or of another type is NULL, "" or 0.

// The value at `path`, keys with dots between them: "spec.replicas". Borrowed; NULL if absent.
json_t *object_at(const json_t *object, const char *path);

// The string there; "" if there is none.
const char *object_string(const json_t *object, const char *path);

// The integer there, or `fallback`.
json_int_t object_integer(const json_t *object, const char *path, json_int_t fallback);

// metadata.name and metadata.namespace.
const char *object_name(const json_t *object);
const char *object_namespace(const json_t *object);

// The object of this namespace and name in an array, or NULL. `namespace_` NULL: of any.
json_t *object_find(const json_t *items, const char *namespace_, const char *name);

// The condition `type` of status.conditions, or NULL.
json_t *object_condition(const json_t *object, const char *type);

// True if `selector` (metav1.LabelSelector) selects `labels` (an object, may be NULL). The empty
// selector selects everything; NULL too, as in a webhook's namespaceSelector.
bool selector_matches(const json_t *selector, const json_t *labels);
