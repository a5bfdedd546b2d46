#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "admission/arena.h"
#include "admission/config.h"
#include "admission/review.h"
#include "tests/rules/values.h"

// One AdmissionReview through admission_review(), and its answer read with jansson.

#define REVIEW_UID "705ab4f5-6393-11e8-b7cc-42010a800002"

// What rules said about the object: notes of all rules, one per line.
#define REVIEW_NOTES_MAX 4096

struct reviewed {
  enum admission_status status;
  struct owned_text answer;  // the bytes
  json_t *body;              // the same, parsed
  bool allowed;
  struct owned_text patch_text;  // decoded; .data NULL without a patch
  json_t *patch;                 // the operations; an empty list without a patch
  char notes[REVIEW_NOTES_MAX];
};

// An AdmissionReview that creates the pod `object` (any bytes) in namespace "default"; members of
// `request`, which may be NULL, replace those of the request. Free .data.
struct owned_text review_wrap(struct text object, yyjson_val *request);

// Reviews `body` in the mutating phase. Fails the test unless the answer is well-formed: UTF-8
// JSON, an AdmissionReview of v1 with the request's uid, patch and patchType both or neither.
struct reviewed review_run(const struct admission_config *config, struct arena *arena,
                           struct text body);

// review_run(review_wrap(object)).
struct reviewed review_object(const struct admission_config *config, struct arena *arena,
                              struct text object);

void reviewed_free(struct reviewed *reviewed);
