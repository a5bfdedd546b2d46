#pragma once

#include <yyjson.h>

#include "admission/text.h"

// Making the inputs of cases with yyjson, which keeps numbers as they are written and takes what
// jansson refuses (NUL in keys, integers above 2^63). Every function ends the test on a mistake in
// the case, with a message.

// A text that the test owns; NUL-terminated. Free .data.
struct owned_text {
  char *data;
  size_t len;
};

struct text owned_view(struct owned_text text);

// The whole file; ends the test if it cannot be read.
struct owned_text values_read_file(const char *path);

// As values_read_file, but .data is NULL when there is no such file.
struct owned_text values_try_file(const char *path);

// A document with its numbers as text; ends the test if `json` is no JSON. Free the document.
yyjson_doc *values_parse(struct text json, const char *what);

struct owned_text values_write(yyjson_val *value);

// `object` after the RFC 7386 merge patch `merge` and then the RFC 6902 operations `edit`; each may
// be NULL. `what` names the case in messages.
struct owned_text values_change(yyjson_val *object, yyjson_val *merge, yyjson_val *edit,
                                const char *what);

// As values_change with one patch, from and to text; .data NULL if the patch does not apply.
struct owned_text values_apply(struct text object, struct text operations);
