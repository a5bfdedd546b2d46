#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "admission/answer.h"
#include "admission/arena.h"
#include "admission/config.h"
#include "admission/review.h"
#include "tests/rules/values.h"

// One AdmissionReview through admission_review() in the validating phase, and its answer read with
// jansson. This header knows no jansson: some of its macros have the names of functions in
// admission/json.h.

#define VERDICT_UID "8a6a1f9e-2f5b-4b39-9e0a-6c1d7f2b9c11"

// A violation as the decision has it; the answer itself does not carry paths of warnings.
struct verdict_violation {
  char *rule;
  char *path;
  int action;  // enum validator_action
};

struct verdict {
  enum admission_status status;
  struct owned_text answer;  // the bytes
  bool allowed;
  int code;       // of a denial
  char *reason;   // of a denial
  char *message;  // of a denial
  char *warnings[ANSWER_WARNINGS_MAX];
  size_t warning_count;
  struct verdict_violation *violations;
  size_t violation_count;
};

// An AdmissionReview of an object of this kind: group, version and resource follow from it.
// `old_object` may be empty; members of `request`, which may be NULL, replace those of the request.
// Free .data.
struct owned_text verdict_wrap(const char *kind, const char *operation, struct text object,
                               struct text old_object, yyjson_val *request);

// Reviews `body`. Fails the test unless the answer is well-formed: an AdmissionReview of v1 with
// the request's uid and no patch, a status on a denial only, warnings and audit annotations within
// the API server's limits.
struct verdict verdict_of(const struct admission_config *config, struct arena *arena,
                          struct text body);

// True if some warning contains `text`.
bool verdict_warns(const struct verdict *verdict, const char *text);

void verdict_free(struct verdict *verdict);
