#include "admission/json.h"

#include <stdlib.h>

struct text json_scalar_text(yyjson_val *value) {
  if (yyjson_is_raw(value)) {
    return (struct text){yyjson_get_raw(value), yyjson_get_len(value)};
  }
  return json_text(value);
}

bool json_int64(yyjson_val *value, int64_t *ret_value) {
  if (!yyjson_is_raw(value)) {
    return false;
  }
  struct text digits = json_scalar_text(value);
  bool negative = digits.len > 0 && digits.data[0] == '-';
  unsigned long long magnitude = 0;
  unsigned long long max = (unsigned long long)INT64_MAX + (negative ? 1U : 0U);
  if (!text_to_unsigned(text_slice(digits, negative ? 1 : 0, digits.len), max, &magnitude)) {
    return false;
  }
  if (negative) {
    *ret_value = magnitude == 0 ? 0 : -(int64_t)(magnitude - 1) - 1;
  } else {
    *ret_value = (int64_t)magnitude;
  }
  return true;
}

bool json_is_true(yyjson_val *value) {
  return yyjson_is_true(value);
}

bool json_is_string(yyjson_val *value, struct text text) {
  return yyjson_is_str(value) && text_equals(json_text(value), text);
}

static const struct json_field *field_named(const struct json_field *fields, size_t count,
                                            struct text name) {
  for (size_t i = 0; i < count; i++) {
    if (text_equals(fields[i].name, name)) {
      return &fields[i];
    }
  }
  return NULL;
}

void json_fields(yyjson_val *object, const struct json_field *fields, size_t count, void *target) {
  size_t index = 0;
  size_t size = 0;
  yyjson_val *key = NULL;
  yyjson_val *value = NULL;
  yyjson_obj_foreach(object, index, size, key, value) {
    const struct json_field *field = field_named(fields, count, json_text(key));
    if (field != NULL && !yyjson_is_null(value)) {
      memcpy((char *)target + field->offset, &value, sizeof(yyjson_val *));
    }
  }
}

const char *json_type_name(yyjson_val *value) {
  switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_NULL:
      return "null";
    case YYJSON_TYPE_BOOL:
      return "a boolean";
    case YYJSON_TYPE_RAW:
    case YYJSON_TYPE_NUM:
      return "a number";
    case YYJSON_TYPE_STR:
      return "a string";
    case YYJSON_TYPE_ARR:
      return "a list";
    case YYJSON_TYPE_OBJ:
      return "an object";
    default:
      return "nothing";
  }
}

static int compare_keys(const void *left, const void *right) {
  struct text a = json_text(*(yyjson_val *const *)left);
  struct text b = json_text(*(yyjson_val *const *)right);
  if (a.len != b.len) {
    return a.len < b.len ? -1 : 1;
  }
  return a.len == 0 ? 0 : memcmp(a.data, b.data, a.len);
}

// False if certainly no two keys of the object are equal, which a pass over small objects nearly
// always finds: two sets of 64 bits, one by length and ends of a key, one by its middle.
static bool may_have_duplicate(yyjson_val *object) {
  uint64_t ends_seen = 0;
  uint64_t middles_seen = 0;
  size_t index = 0;
  size_t size = 0;
  yyjson_val *key = NULL;
  yyjson_val *value = NULL;
  yyjson_obj_foreach(object, index, size, key, value) {
    const unsigned char *bytes = (const unsigned char *)yyjson_get_str(key);
    size_t len = yyjson_get_len(key);
    size_t last = len == 0 ? 0 : len - 1;  // an empty key still has its NUL to look at
    size_t ends = bytes[0] * 5U + bytes[last] + len;
    size_t middle = bytes[len / 2] * 3U + bytes[len / 4] + len * 11;
    uint64_t ends_bit = (uint64_t)1 << (ends % 64);
    uint64_t middle_bit = (uint64_t)1 << (middle % 64);
    if ((ends_seen & ends_bit) != 0 && (middles_seen & middle_bit) != 0) {
      return true;
    }
    ends_seen |= ends_bit;
    middles_seen |= middle_bit;
  }
  return false;
}

// Objects up to this many keys are compared pair by pair, which beats sorting there.
#define DUPLICATE_PAIRWISE_MAX 32

static yyjson_val *duplicate_by_pairs(yyjson_val **keys, size_t count) {
  for (size_t i = 1; i < count; i++) {
    for (size_t j = 0; j < i; j++) {
      if (text_equals(json_text(keys[i]), json_text(keys[j]))) {
        return keys[i];
      }
    }
  }
  return NULL;
}

static yyjson_val *duplicate_by_sorting(yyjson_val **keys, size_t count) {
  qsort(keys, count, sizeof(yyjson_val *), compare_keys);
  for (size_t i = 1; i < count; i++) {
    if (compare_keys(&keys[i - 1], &keys[i]) == 0) {
      return keys[i];
    }
  }
  return NULL;
}

static int duplicate_in_object(yyjson_val *object, const yyjson_alc *alc, struct text *ret_key) {
  size_t count = yyjson_obj_size(object);
  yyjson_val **keys = alc->malloc(alc->ctx, count * sizeof(yyjson_val *));
  if (keys == NULL) {
    return -1;
  }
  yyjson_obj_iter iter = yyjson_obj_iter_with(object);
  for (size_t i = 0; i < count; i++) {
    keys[i] = yyjson_obj_iter_next(&iter);
  }
  yyjson_val *duplicate = count <= DUPLICATE_PAIRWISE_MAX ? duplicate_by_pairs(keys, count)
                                                          : duplicate_by_sorting(keys, count);
  alc->free(alc->ctx, keys);
  if (duplicate == NULL) {
    return 0;
  }
  *ret_key = json_text(duplicate);
  return 1;
}

// The values of an immutable document stand one after the other, so this needs no recursion and
// no stack however deep the document is.
int json_find_duplicate_key(yyjson_doc *doc, const yyjson_alc *alc, struct text *ret_key) {
  yyjson_val *values = yyjson_doc_get_root(doc);
  size_t count = yyjson_doc_get_val_count(doc);
  for (size_t i = 0; i < count; i++) {
    if (yyjson_is_obj(&values[i]) && yyjson_obj_size(&values[i]) > 1 &&
        may_have_duplicate(&values[i])) {
      int found = duplicate_in_object(&values[i], alc, ret_key);
      if (found != 0) {
        return found;
      }
    }
  }
  return 0;
}
