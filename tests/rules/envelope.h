#pragma once

#include <jansson.h>

#include "tests/rules/values.h"

// What is around every object and every answer: the AdmissionReview.

// An AdmissionReview with the members of `request`, JSON text; those of `changes`, which may be
// NULL, replace them. `object` is any bytes; so is `old_object`, left out when .data is NULL.
// Free .data.
struct owned_text envelope_wrap(struct text request, yyjson_val *changes, struct text object,
                                struct text old_object);

// Parses an answer. Fails the test unless it is UTF-8 JSON, an AdmissionReview of v1 that says
// whether the request is allowed. New.
json_t *envelope_read(struct text answer, bool *ret_allowed);
