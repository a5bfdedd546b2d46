#include <stdlib.h>

#include "cli/manifest.h"

// yyjson does not indent raw values, so the indented form is written here.

#define INDENT "    "

static void new_line(struct buffer *out, size_t depth) {
  buffer_append(out, "\n", 1);
  for (size_t i = 0; i < depth; i++) {
    buffer_append_text(out, TEXT(INDENT));
  }
}

static void put_pretty(yyjson_mut_val *value, size_t depth, struct buffer *out);

static void put_object(yyjson_mut_val *object, size_t depth, struct buffer *out) {
  size_t count = 0;
  yyjson_mut_obj_iter members = yyjson_mut_obj_iter_with(object);
  buffer_append(out, "{", 1);
  for (yyjson_mut_val *key = yyjson_mut_obj_iter_next(&members); key != NULL;
       key = yyjson_mut_obj_iter_next(&members)) {
    buffer_append(out, ",", count++ == 0 ? 0 : 1);
    new_line(out, depth + 1);
    put_pretty(key, depth, out);
    buffer_append(out, ": ", 2);
    put_pretty(yyjson_mut_obj_iter_get_val(key), depth + 1, out);
  }
  if (count > 0) {
    new_line(out, depth);
  }
  buffer_append(out, "}", 1);
}

static void put_array(yyjson_mut_val *array, size_t depth, struct buffer *out) {
  size_t count = 0;
  yyjson_mut_arr_iter items = yyjson_mut_arr_iter_with(array);
  buffer_append(out, "[", 1);
  for (yyjson_mut_val *item = yyjson_mut_arr_iter_next(&items); item != NULL;
       item = yyjson_mut_arr_iter_next(&items)) {
    buffer_append(out, ",", count++ == 0 ? 0 : 1);
    new_line(out, depth + 1);
    put_pretty(item, depth + 1, out);
  }
  if (count > 0) {
    new_line(out, depth);
  }
  buffer_append(out, "]", 1);
}

static void put_scalar(yyjson_mut_val *value, struct buffer *out) {
  if (yyjson_mut_is_raw(value)) {
    buffer_append(out, yyjson_mut_get_raw(value), yyjson_mut_get_len(value));
  } else if (yyjson_mut_is_str(value)) {
    struct text text = {yyjson_mut_get_str(value), yyjson_mut_get_len(value)};
    buffer_append_json_string(out, text);
  } else if (yyjson_mut_is_bool(value)) {
    buffer_append_text(out, yyjson_mut_is_true(value) ? TEXT("true") : TEXT("false"));
  } else if (yyjson_mut_is_int(value)) {
    buffer_printf(out, "%lld", (long long)yyjson_mut_get_sint(value));
  } else {
    buffer_append_text(out, TEXT("null"));
  }
}

static void put_pretty(yyjson_mut_val *value, size_t depth, struct buffer *out) {
  if (yyjson_mut_is_obj(value)) {
    put_object(value, depth, out);
  } else if (yyjson_mut_is_arr(value)) {
    put_array(value, depth, out);
  } else {
    put_scalar(value, out);
  }
}

static void put_compact(yyjson_mut_val *value, struct buffer *out) {
  size_t len = 0;
  char *json = yyjson_mut_val_write_opts(value, YYJSON_WRITE_NOFLAG, NULL, &len, NULL);
  if (json == NULL) {
    out->failed = true;
    return;
  }
  buffer_append(out, json, len);
  free(json);
}

int manifest_write_json(yyjson_mut_val *value, bool pretty, struct buffer *out) {
  if (pretty) {
    put_pretty(value, 0, out);
  } else {
    put_compact(value, out);
  }
  return buffer_append(out, "\n", 1) ? 0 : -1;
}
