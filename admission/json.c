#include "admission/json.h"

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
  // Not yyjson_obj_foreach(): it computes an address of nothing where there is no object.
  yyjson_obj_iter iter = yyjson_obj_iter_with(object);
  for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter)) != NULL;) {
    yyjson_val *value = yyjson_obj_iter_get_val(key);
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
