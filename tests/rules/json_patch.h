#pragma once

#include <jansson.h>

#include "admission/error.h"

// RFC 6902 on jansson values, written from the RFC and without a line of the code under test, so
// that a mistake of our patch builder cannot hide itself. Strict, as the API server is.

// A new object: `document` with all operations applied; NULL with an error if one does not apply.
// `document` stays as it is.
json_t *json_patch_apply(const json_t *document, const json_t *operations, struct error *error);

// What stands at a JSON Pointer (RFC 6901); borrowed, NULL when nothing is there.
json_t *json_pointer_get(json_t *document, const char *pointer);
