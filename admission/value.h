#pragma once

#include <stdbool.h>
#include <yyjson.h>

#include "admission/text.h"

// Building JSON values for a patch. Every function takes a NULL parent (an earlier failure) and
// then does nothing; the patch remembers the failure, so a rule checks nothing (see patch.h).
// Keys are string literals and are not copied; texts are copied. A value has one parent: to use it
// twice, make it twice.

struct patch;

yyjson_mut_val *value_object(struct patch *patch);
yyjson_mut_val *value_array(struct patch *patch);
yyjson_mut_val *value_string(struct patch *patch, struct text text);
yyjson_mut_val *value_int(struct patch *patch, long long number);

// A copy of a value of the object under review.
yyjson_mut_val *value_copy(struct patch *patch, yyjson_val *value);

// Puts `value` under `key` into `object`, or at the end of `array`.
void value_put(struct patch *patch, yyjson_mut_val *object, const char *key, yyjson_mut_val *value);
void value_push(struct patch *patch, yyjson_mut_val *array, yyjson_mut_val *value);

void value_put_string(struct patch *patch, yyjson_mut_val *object, const char *key,
                      struct text text);
void value_put_int(struct patch *patch, yyjson_mut_val *object, const char *key, long long number);
void value_put_bool(struct patch *patch, yyjson_mut_val *object, const char *key, bool truth);
void value_push_string(struct patch *patch, yyjson_mut_val *array, struct text text);

// One placeholder of an injected script, such as "@HOST@", and what stands for it.
struct script_value {
  struct text placeholder;
  struct text value;
};

// The script with every placeholder replaced, as text in the patch's arena. The caller has checked
// that each value is safe where the script uses it.
struct text script_fill(struct patch *patch, struct text script, const struct script_value *values,
                        size_t count);
