#include "tests/rules/expected.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admission/buffer.h"

static json_t *replace_all(json_t *text, const char *placeholder, const char *value) {
  struct buffer out = {.max = (size_t)1 << 20};
  const char *from = json_string_value(text);
  for (const char *at = strstr(from, placeholder); at != NULL; at = strstr(from, placeholder)) {
    buffer_append(&out, from, (size_t)(at - from));
    buffer_append_text(&out, text_of(value));
    from = at + strlen(placeholder);
  }
  buffer_append_text(&out, text_of(from));
  ck_assert(!out.failed);
  json_t *replaced = json_stringn(out.data == NULL ? "" : out.data, out.len);
  buffer_free(&out);
  json_decref(text);
  return replaced;
}

// {"$script": FILE, "with": {PLACEHOLDER: VALUE}, "prefix": TEXT, "suffix": TEXT} as the text.
static json_t *script_text(json_t *reference) {
  char path[1024];
  snprintf(path, sizeof path, BUILD_DIR "/scripts/%s",
           json_string_value(json_object_get(reference, "$script")));
  struct owned_text script = values_read_file(path);
  json_t *text = json_stringn(script.data, script.len);
  free(script.data);
  ck_assert_ptr_nonnull(text);
  const char *placeholder;
  json_t *value;
  json_object_foreach(json_object_get(reference, "with"), placeholder, value) {
    text = replace_all(text, placeholder, json_string_value(value));
  }
  const char *prefix = json_string_value(json_object_get(reference, "prefix"));
  const char *suffix = json_string_value(json_object_get(reference, "suffix"));
  json_t *whole = json_sprintf("%s%s%s", prefix == NULL ? "" : prefix, json_string_value(text),
                               suffix == NULL ? "" : suffix);
  json_decref(text);
  return whole;
}

static bool is_script(json_t *value) {
  return json_object_get(value, "$script") != NULL;
}

// A new value with every script reference replaced by its text.
static json_t *unfold(json_t *value) {
  if (is_script(value)) {
    return script_text(value);
  }
  json_t *copy = json_copy(value);
  if (json_is_object(value)) {
    const char *key;
    json_t *item;
    json_object_foreach(value, key, item) {
      json_object_set_new(copy, key, unfold(item));
    }
  }
  for (size_t i = 0; i < json_array_size(value); i++) {
    json_array_set_new(copy, i, unfold(json_array_get(value, i)));
  }
  return copy;
}

static json_t *written_patch(const struct rule_case *one) {
  yyjson_val *patch = case_written_patch(one);
  if (patch == NULL) {
    return json_array();
  }
  struct owned_text text = values_write(patch);
  json_error_t error;
  json_t *parsed = json_loadb(text.data, text.len, JSON_ALLOW_NUL, &error);
  ck_assert_msg(parsed != NULL, "%s: patch: %s", one->name, error.text);
  free(text.data);
  return parsed;
}

json_t *expected_patch(const struct rule_case *one) {
  json_t *written = written_patch(one);
  json_t *patch = unfold(written);
  json_decref(written);
  return patch;
}

static json_t *fold(json_t *actual, json_t *written) {
  if (is_script(written)) {
    json_t *text = script_text(written);
    bool same = json_equal(text, actual) != 0;
    json_decref(text);
    return same ? json_deep_copy(written) : json_deep_copy(actual);
  }
  json_t *copy = json_copy(actual);
  if (json_is_object(actual)) {
    const char *key;
    json_t *item;
    json_object_foreach(actual, key, item) {
      json_object_set_new(copy, key, fold(item, json_object_get(written, key)));
    }
  }
  for (size_t i = 0; i < json_array_size(actual); i++) {
    json_array_set_new(copy, i, fold(json_array_get(actual, i), json_array_get(written, i)));
  }
  return copy;
}

json_t *expected_fold(const struct rule_case *one, json_t *actual) {
  json_t *written = written_patch(one);
  json_t *folded = fold(actual, written);
  json_decref(written);
  return folded;
}
