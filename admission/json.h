#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <yyjson.h>

#include "admission/text.h"

// Reading JSON values of objects that nobody has validated. Every function takes NULL and any
// type, and answers "absent" rather than guess: the API server judges types, rules must only
// never crash or misread. Numbers are kept as text (YYJSON_READ_NUMBER_AS_RAW), never as doubles.

// The flags with which every document is read.
#define JSON_READ_FLAGS YYJSON_READ_NUMBER_AS_RAW

// The member `name`, NULL when absent or null or when `object` is no object.
// Inline, so that the length of a literal costs nothing.
static inline yyjson_val *json_get(yyjson_val *object, const char *name) {
  yyjson_val *value = yyjson_obj_getn(object, name, strlen(name));
  return yyjson_is_null(value) ? NULL : value;
}

// The string's bytes; the empty text with .data NULL for anything that is no string.
static inline struct text json_text(yyjson_val *value) {
  if (!yyjson_is_str(value)) {
    return (struct text){NULL, 0};
  }
  return (struct text){yyjson_get_str(value), yyjson_get_len(value)};
}

// The member `name` as json_text.
static inline struct text json_get_text(yyjson_val *object, const char *name) {
  return json_text(json_get(object, name));
}

// The digits of a number as they were written, or the bytes of a string: what int-or-string and
// Quantity fields hold. .data is NULL for anything else.
struct text json_scalar_text(yyjson_val *value);

// True, and *ret_value set, if `value` is an integer that fits.
bool json_int64(yyjson_val *value, int64_t *ret_value);

// True only for a JSON true.
bool json_is_true(yyjson_val *value);

bool json_is_string(yyjson_val *value, struct text text);

// One row of a table for json_fields(): where in the struct to put which member.
struct json_field {
  struct text name;
  size_t offset;  // of a `yyjson_val *`
};

// Reads members of `object` into the pointers of `target` in one pass over the object; a member
// that is absent or null leaves its pointer as it was.
void json_fields(yyjson_val *object, const struct json_field *fields, size_t count, void *target);

// "a string", "a number", "null", … for messages.
const char *json_type_name(yyjson_val *value);

// The first object in `doc` that has some key twice: the key is put into *ret_key. Kubernetes
// never sends such an object; two readers of it could disagree about what it says.
// Returns 1 found, 0 none, -1 memory short.
int json_find_duplicate_key(yyjson_doc *doc, const yyjson_alc *alc, struct text *ret_key);
