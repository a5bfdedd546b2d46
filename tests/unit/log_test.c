#include "server/log.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/suite.h"

static json_t *parsed(const char *message, const struct log_field *fields, size_t count) {
  char line[LOG_LINE_MAX];
  size_t len =
      log_format_line(line, sizeof line, LOG_JSON, LOG_LEVEL_WARN, text_of(message), fields, count);
  json_error_t error;
  json_t *json = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
  ck_assert_msg(json != NULL, "%s: %.*s", error.text, (int)len, line);
  return json;
}

static const char *string_of(const json_t *json, const char *key) {
  const char *string = json_string_value(json_object_get(json, key));
  return string == NULL ? "(none)" : string;
}

START_TEST(a_line_is_json) {
  const struct log_field fields[] = {log_text("uid", TEXT("a\"b\\c\n\x1b[31m")),
                                     log_number("code", -7), log_bool("allowed", true),
                                     log_bool("dryRun", false)};
  json_t *json = parsed("hello \"world\"", fields, 4);
  ck_assert_str_eq(string_of(json, "level"), "warn");
  ck_assert_str_eq(string_of(json, "msg"), "hello \"world\"");
  ck_assert_str_eq(string_of(json, "uid"), "a\"b\\c\n\x1b[31m");
  ck_assert_int_eq(json_integer_value(json_object_get(json, "code")), -7);
  ck_assert(json_is_true(json_object_get(json, "allowed")));
  ck_assert(json_is_false(json_object_get(json, "dryRun")));
  const char *time = string_of(json, "time");
  ck_assert_uint_eq(strlen(time), strlen("2026-01-02T03:04:05.678Z"));
  ck_assert(time[10] == 'T' && time[19] == '.' && time[23] == 'Z');
  json_decref(json);
}
END_TEST

START_TEST(bytes_that_are_not_utf8_are_replaced) {
  const char *const bad[] = {"\xff",     "\xc0\x80", "\xed\xa0\x80",        "\xf4\x90\x80\x80",
                             "\xe2\x82", "\x80",     "\xf8\x88\x80\x80\x80"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct log_field field = log_text("v", text_of(bad[i]));
    json_t *json = parsed("x", &field, 1);
    ck_assert_msg(strstr(string_of(json, "v"), "\xef\xbf\xbd") != NULL, "case %zu", i);
    json_decref(json);
  }
  struct log_field good = log_text("v", TEXT("\xe2\x82\xac\xf0\x9f\x98\x80"));
  json_t *json = parsed("x", &good, 1);
  ck_assert_str_eq(string_of(json, "v"), "\xe2\x82\xac\xf0\x9f\x98\x80");
  json_decref(json);
}
END_TEST

START_TEST(long_values_are_cut) {
  char value[LOG_VALUE_MAX * 2];
  memset(value, 'a', sizeof value);
  struct log_field field = log_text("v", (struct text){value, sizeof value});
  json_t *json = parsed("x", &field, 1);
  ck_assert_uint_eq(json_string_length(json_object_get(json, "v")), LOG_VALUE_MAX + 3);
  json_decref(json);
  field.text.len = LOG_VALUE_MAX;
  json = parsed("x", &field, 1);
  ck_assert_uint_eq(json_string_length(json_object_get(json, "v")), LOG_VALUE_MAX);
  json_decref(json);
}
END_TEST

START_TEST(a_field_that_does_not_fit_is_left_out) {
  char value[LOG_VALUE_MAX];
  memset(value, 1, sizeof value);  // six bytes each when escaped
  struct log_field fields[6];
  for (size_t i = 0; i < 5; i++) {
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    fields[i] = log_text(names[i], (struct text){value, sizeof value});
  }
  fields[5] = log_number("last", 1);
  json_t *json = parsed("x", fields, 6);
  ck_assert_ptr_null(json_object_get(json, "e"));
  ck_assert_ptr_nonnull(json_object_get(json, "last"));
  json_decref(json);
}
END_TEST

START_TEST(text_for_people) {
  char line[LOG_LINE_MAX];
  const struct log_field fields[] = {log_text("name", TEXT("a b")), log_number("n", 3)};
  size_t len = log_format_line(line, sizeof line, LOG_TEXT, LOG_LEVEL_INFO, TEXT("hi"), fields, 2);
  static const char wanted[] = " info \"hi\" name=\"a b\" n=3";
  ck_assert_uint_eq(len, strlen("2026-01-02T03:04:05.678Z") + strlen(wanted));
  ck_assert_mem_eq(line + len - strlen(wanted), wanted, strlen(wanted));
}
END_TEST

START_TEST(levels) {
  log_configure(&(struct log_settings){.level = LOG_LEVEL_WARN, .decisions = LOG_LEVEL_DEBUG});
  ck_assert(log_is_on(LOG_LEVEL_ERROR) && log_is_on(LOG_LEVEL_WARN));
  ck_assert(!log_is_on(LOG_LEVEL_INFO) && !log_is_on(LOG_LEVEL_DEBUG));
  ck_assert_int_eq(log_decision_level(), LOG_LEVEL_DEBUG);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_test(tests, a_line_is_json);
  tcase_add_test(tests, bytes_that_are_not_utf8_are_replaced);
  tcase_add_test(tests, long_values_are_cut);
  tcase_add_test(tests, a_field_that_does_not_fit_is_left_out);
  tcase_add_test(tests, text_for_people);
  tcase_add_test(tests, levels);
}

int main(void) {
  return run_suite("log", add_tests);
}
