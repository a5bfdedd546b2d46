#pragma once

#include "admission/text.h"

// What a plain (unquoted) YAML scalar means to Kubernetes. kubectl reads manifests with
// sigs.k8s.io/yaml, that is, go-yaml v2, whose resolve.go mixes YAML 1.1 and 1.2: `yes` and `off`
// are booleans, 0777 and 0o777 are octal, 1:30 and dates are strings.

enum scalar_kind {
  SCALAR_STRING,
  SCALAR_NULL,
  SCALAR_BOOL,
  SCALAR_INT,
  SCALAR_FLOAT,
  SCALAR_NOT_JSON,  // .inf and .nan: JSON has no such numbers, kubectl refuses them
};

// Room for the longest JSON text of a number, "-1.2345678901234567e-308", and its making.
#define SCALAR_JSON_MAX 64

struct scalar {
  enum scalar_kind kind;
  char json[SCALAR_JSON_MAX];  // null, a boolean or a number as Go writes it; empty for others
  size_t len;
};

struct scalar scalar_resolve(struct text plain);

// The same number as a mapping key: JSON keys are strings, and sigs.k8s.io/yaml writes a number
// into one with another precision than into a value. Integers and booleans keep their text.
struct scalar scalar_resolve_key(struct text plain);

// True if the string must be quoted so that no YAML reader takes it for something else. Only about
// meaning; what the syntax needs is the emitter's business.
bool scalar_needs_quotes(struct text string);
