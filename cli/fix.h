#pragma once

#include "admission/review.h"
#include "cli/manifest.h"

// One Pod of a manifest through the mutating review, as the API server would send it on creation.

struct fixer {
  const struct admission_config *config;
  struct arena *arena;
  const char *namespace_name;  // of pods that name none
};

enum fix_status {
  FIX_UNCHANGED,
  FIX_CHANGED,
  FIX_DENIED,
  FIX_FAILED,  // memory short, or a patch that does not apply: `error` says it
};

// Reviews `pod`, a value in `doc`. With FIX_CHANGED *ret_fixed is the new object, also in `doc`;
// `pod` itself stays as it is. *ret_decision lives until the next call.
enum fix_status fix_pod(struct fixer *fixer, yyjson_mut_doc *doc, yyjson_mut_val *pod,
                        yyjson_mut_val **ret_fixed, struct decision *ret_decision,
                        struct error *error);

// True for apiVersion v1, kind Pod.
bool fix_is_pod(yyjson_mut_val *object);

// metadata.namespace of a Pod, or the one of the fixer.
struct text fix_namespace(const struct fixer *fixer, yyjson_mut_val *pod);
