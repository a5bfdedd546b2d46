#pragma once

#include <stdbool.h>

#include "cli/manifest.h"

// An object of a manifest as the AdmissionReview that the API server would send on its creation.

// What rules look at.
struct creation_kind {
  const char *group;
  const char *kind;
  const char *plural;
  bool namespaced;
  const char *versions[3];  // that are understood; the API server converts to v1, the first
};

// The kind of `object`, by apiVersion and kind; NULL for one that no rule looks at.
const struct creation_kind *creation_kind_of(yyjson_mut_val *object);

// metadata.namespace, or `fallback`; empty for kinds without namespaces.
struct text creation_namespace(const struct creation_kind *kind, yyjson_mut_val *object,
                               const char *fallback);

// metadata.name, or generateName.
struct text creation_name(yyjson_mut_val *object);

// Appends the review. 0, or -1 when memory is short or the buffer's maximum is reached.
int creation_write(const struct creation_kind *kind, yyjson_mut_val *object,
                   struct text namespace_name, struct buffer *out);
