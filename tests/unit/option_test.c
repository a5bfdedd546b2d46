#include "admission/option.h"

#include <stdio.h>

#include "admission/option_text.h"
#include "admission/quantity.h"
#include "admission/quote.h"
#include "tests/unit/suite.h"

struct sample {
  bool flag;
  int64_t number;
  int64_t time;
  struct quantity size;
  int color;
  unsigned colors;
  struct text name;
  struct text_list names;
};

static const char *const color_names[] = {"red", "green", "blue", NULL};

enum { FLAG, NUMBER, TIME, SIZE, COLOR, COLORS, NAME, NAMES, ROWS };
static const struct option rows[] = {
    [FLAG] = {.key = "flag",
              .type = OPTION_BOOL,
              .fallback = "true",
              .offset = offsetof(struct sample, flag)},
    [NUMBER] = {.key = "number",
                .type = OPTION_INT,
                .fallback = "7",
                .min = -5,
                .max = 100,
                .offset = offsetof(struct sample, number)},
    [TIME] = {.key = "time",
              .type = OPTION_DURATION,
              .fallback = "1m30s",
              .min = 100,
              .max = 3600000,
              .offset = offsetof(struct sample, time)},
    [SIZE] = {.key = "size",
              .type = OPTION_QUANTITY,
              .fallback = "1Mi",
              .min = 1024,
              .max = 1 << 30,
              .offset = offsetof(struct sample, size)},
    [COLOR] = {.key = "color",
               .type = OPTION_ENUM,
               .fallback = "green",
               .names = color_names,
               .offset = offsetof(struct sample, color)},
    [COLORS] = {.key = "colors",
                .type = OPTION_ENUM_SET,
                .fallback = "red, blue",
                .names = color_names,
                .offset = offsetof(struct sample, colors)},
    [NAME] = {.key = "name",
              .type = OPTION_STRING,
              .fallback = "a, b",
              .offset = offsetof(struct sample, name)},
    [NAMES] = {.key = "names",
               .type = OPTION_STRINGS,
               .fallback = "x, y, z",
               .offset = offsetof(struct sample, names)},
};

static struct arena *arena;
static struct error error;

static void set_up(void) {
  arena = arena_new(4096, 1 << 20);
  ck_assert_ptr_nonnull(arena);
}

static void tear_down(void) {
  arena_free(arena);
}

static struct sample *defaults(void) {
  struct sample *sample = options_defaults(rows, ROWS, sizeof *sample, arena, &error);
  ck_assert_msg(sample != NULL, "%s", error.text);
  return sample;
}

static int set(struct sample *sample, int row, const char *text) {
  return option_set(&rows[row], sample, text_of(text), arena, &error);
}

static void refused(int row, const char *text, const char *message) {
  struct sample *sample = defaults();
  ck_assert_msg(set(sample, row, text) == -1, "%s: \"%s\" was taken", rows[row].key, text);
  if (message != NULL) {
    ck_assert_str_eq(error.text, message);
  }
}

START_TEST(defaults_are_in_place) {
  struct sample *sample = defaults();
  ck_assert(sample->flag);
  ck_assert_int_eq(sample->number, 7);
  ck_assert_int_eq(sample->time, 90000);
  ck_assert(sample->size.nano == quantity_of_units(1 << 20).nano);
  ck_assert_int_eq(sample->color, 1);
  ck_assert_uint_eq(sample->colors, 5);
  ck_assert(text_equals(sample->name, TEXT("a, b")));
  ck_assert_uint_eq(sample->names.count, 3);
  ck_assert(text_equals(sample->names.items[2], TEXT("z")));
}
END_TEST

START_TEST(no_rows_give_a_struct) {
  ck_assert_ptr_nonnull(options_defaults(NULL, 0, 0, arena, &error));
}
END_TEST

START_TEST(a_bad_default_is_reported) {
  struct option bad = rows[COLOR];
  bad.fallback = "mauve";
  ck_assert_ptr_null(options_defaults(&bad, 1, sizeof(struct sample), arena, &error));
  ck_assert_str_eq(error.text,
                   "default of option color: found \"mauve\", wanted red, green or blue");
}
END_TEST

START_TEST(bool_takes_two_words) {
  struct sample *sample = defaults();
  ck_assert_int_eq(set(sample, FLAG, "false"), 0);
  ck_assert(!sample->flag);
  ck_assert_int_eq(set(sample, FLAG, "true"), 0);
  ck_assert(sample->flag);
  refused(FLAG, "yes", "found \"yes\", wanted true or false");
  refused(FLAG, "True", NULL);
  refused(FLAG, "1", NULL);
  refused(FLAG, "", NULL);
}
END_TEST

START_TEST(int_is_decimal_and_in_range) {
  struct sample *sample = defaults();
  ck_assert_int_eq(set(sample, NUMBER, "-5"), 0);
  ck_assert_int_eq(sample->number, -5);
  ck_assert_int_eq(set(sample, NUMBER, "100"), 0);
  ck_assert_int_eq(set(sample, NUMBER, "0"), 0);
  ck_assert_int_eq(sample->number, 0);
  refused(NUMBER, "-6", "found \"-6\", wanted a whole decimal number from -5 to 100");
  static const char *const bad[] = {"101", "010", "0x1", "1.0", "1e1", "+1",
                                    "",    "-",   "1_0", " 1",  "1 ",  "99999999999999999999",
                                    "--1"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    refused(NUMBER, bad[i], NULL);
  }
  struct option free_range = {.key = "n", .type = OPTION_INT};
  int64_t number = 0;
  ck_assert_int_eq(option_set(&free_range, &number, TEXT("9223372036854775807"), arena, &error), 0);
  ck_assert_int_eq(option_set(&free_range, &number, TEXT("9223372036854775808"), arena, &error),
                   -1);
  ck_assert_int_eq(option_set(&free_range, &number, TEXT("-9223372036854775807"), arena, &error),
                   0);
}
END_TEST

START_TEST(durations_are_those_of_go) {
  static const struct {
    const char *text;
    int64_t milliseconds;
  } good[] = {
      {"0", 0},
      {"0s", 0},
      {"250ms", 250},
      {"1m30s", 90000},
      {"1h2m3.5s", 3723500},
      {"1.5h", 5400000},
      {".5s", 500},
      {"1.s", 1000},
      {"+1s", 1000},
      {"1000000us", 1000},
      {"1\xc2\xb5s", 1},
      {"1\xce\xbcs", 1},
      {"1ns", 1},
      {"0ns", 0},
      {"1500us", 2},
      {"0.000000000000000000000000001s", 0},
      {"9007199254740992ms", 9007199254740992},
      {"30s30s", 60000},
  };
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    int64_t milliseconds = -1;
    ck_assert_msg(duration_parse(text_of(good[i].text), &milliseconds), "%s", good[i].text);
    ck_assert_msg(milliseconds == good[i].milliseconds, "%s: %lld", good[i].text,
                  (long long)milliseconds);
  }
}
END_TEST

START_TEST(other_durations_are_refused) {
  static const char *const bad[] = {
      "",
      "5",
      "-1s",
      "-0s",
      "s",
      ".s",
      "1",
      "1 s",
      "1s ",
      " 1s",
      "1d",
      "1S",
      "1m30",
      "+",
      "+-1s",
      "1..5s",
      "0x1s",
      "9007199254740993ms",
      "99999999999999999999999h",
      "9999999999999h",
      "1sm",
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    int64_t milliseconds = -1;
    ck_assert_msg(!duration_parse(text_of(bad[i]), &milliseconds), "%s was taken", bad[i]);
    ck_assert_int_eq(milliseconds, -1);
  }
}
END_TEST

START_TEST(durations_are_written_as_they_are_read) {
  static const int64_t values[] = {0,     1,     999,     1000,    1001,     59999,
                                   60000, 90000, 3600000, 3723500, 86400000, 9007199254740992};
  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
    char text[DURATION_TEXT_MAX];
    int64_t again = -1;
    duration_format(values[i], text);
    ck_assert_msg(duration_parse(text_of(text), &again), "%s", text);
    ck_assert_msg(again == values[i], "%s", text);
  }
}
END_TEST

START_TEST(duration_is_in_range) {
  struct sample *sample = defaults();
  ck_assert_int_eq(set(sample, TIME, "100ms"), 0);
  ck_assert_int_eq(set(sample, TIME, "1h"), 0);
  ck_assert_int_eq(sample->time, 3600000);
  refused(TIME, "99ms",
          "found \"99ms\", wanted a duration with its unit (\"90s\", \"1m30s\") from 100ms to 1h");
  refused(TIME, "1h1ms", NULL);
  refused(TIME, "5", NULL);
}
END_TEST

START_TEST(quantity_is_in_range) {
  struct sample *sample = defaults();
  ck_assert_int_eq(set(sample, SIZE, "1Ki"), 0);
  ck_assert_int_eq(set(sample, SIZE, "1024"), 0);
  ck_assert_int_eq(set(sample, SIZE, "1Gi"), 0);
  ck_assert(sample->size.nano == quantity_of_units(1 << 30).nano);
  refused(SIZE, "1023",
          "found \"1023\", wanted a Kubernetes quantity (\"512Mi\", \"2G\") from 1024 to 1Gi");
  refused(SIZE, "1073741825", NULL);
  refused(SIZE, "1023.999999999", NULL);
  refused(SIZE, "-1Mi", NULL);
  refused(SIZE, "1MB", NULL);
  refused(SIZE, "", NULL);
}
END_TEST

START_TEST(names_are_suggested) {
  struct sample *sample = defaults();
  ck_assert_int_eq(set(sample, COLOR, "blue"), 0);
  ck_assert_int_eq(sample->color, 2);
  refused(COLOR, "bleu", "found \"bleu\", wanted red, green or blue; did you mean \"blue\"?");
  refused(COLOR, "Red", "found \"Red\", wanted red, green or blue; did you mean \"red\"?");
  refused(COLOR, "mauve", "found \"mauve\", wanted red, green or blue");
  refused(COLOR, "", NULL);
}
END_TEST

START_TEST(lists_are_replaced_after_clearing) {
  struct sample *sample = defaults();
  ck_assert_int_eq(set(sample, COLORS, "green"), 0);
  ck_assert_uint_eq(sample->colors, 7);
  option_clear(&rows[COLORS], sample);
  ck_assert_uint_eq(sample->colors, 0);
  option_clear(&rows[NAMES], sample);
  ck_assert_uint_eq(sample->names.count, 0);
  for (int i = 0; i < 100; i++) {
    char name[16];
    snprintf(name, sizeof name, "n%d", i);
    ck_assert_int_eq(set(sample, NAMES, name), 0);
  }
  ck_assert_uint_eq(sample->names.count, 100);
  for (int i = 0; i < 100; i++) {
    char name[16];
    snprintf(name, sizeof name, "n%d", i);
    ck_assert(text_equals(sample->names.items[i], text_of(name)));
  }
}
END_TEST

START_TEST(strings_hold_no_nul) {
  struct sample *sample = defaults();
  ck_assert_int_eq(option_set(&rows[NAME], sample, TEXT("a\0b"), arena, &error), -1);
  ck_assert_str_eq(error.text, "found a NUL in \"a\\x00b\", wanted text without");
  ck_assert_int_eq(set(sample, NAME, ""), 0);
  ck_assert_uint_eq(sample->name.len, 0);
  ck_assert_ptr_nonnull(sample->name.data);
}
END_TEST

START_TEST(memory_runs_out_anywhere) {
  struct sample *sample = NULL;
  size_t failures = 0;
  for (; sample == NULL; failures++) {
    arena_reset(arena);
    arena_fail_after(arena, failures);
    sample = options_defaults(rows, ROWS, sizeof *sample, arena, &error);
    if (sample == NULL) {
      ck_assert_ptr_nonnull(strstr(error.text, "out of memory"));
    }
    ck_assert_uint_lt(failures, 50);
  }
  ck_assert_uint_gt(failures, 5);
}
END_TEST

START_TEST(the_nearest_name_is_at_most_a_third_away) {
  static const char *const names[] = {"enforce", "audit", "off", "wait-gcs", "prestop-drain"};
  static const struct {
    const char *wanted;
    const char *nearest;
  } cases[] = {
      {"enforced", "enforce"},
      {"wait-gsc", "wait-gcs"},
      {"waitgcs", "wait-gcs"},
      {"of", "off"},
      {"OFF", "off"},
      {"prestop", NULL},
      {"", NULL},
      {"xyz", NULL},
      {"audti", "audit"},
      {"audxx", "audit"},
      {"audxyz", NULL},
      {"prestop_drain", "prestop-drain"},
      {"a-name-that-is-far-longer-than-every-name-that-could-ever-be-suggested", NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const char *nearest = nearest_name(text_of(cases[i].wanted), names, 5);
    ck_assert_pstr_eq(nearest, cases[i].nearest);
  }
}
END_TEST

START_TEST(quoted_text_cannot_steer_a_terminal) {
  char quoted[QUOTE_MAX];
  ck_assert_str_eq(quote_text(TEXT("a\"b\\c"), quoted), "\"a\\\"b\\\\c\"");
  ck_assert_str_eq(quote_text(TEXT("\x1b[31m\0\n"), quoted), "\"\\x1b[31m\\x00\\x0a\"");
  ck_assert_str_eq(quote_text(TEXT("\xc2\x9b"
                                   "m\xc3\xa4"),
                              quoted),
                   "\"\\xc2\\x9bm\xc3\xa4\"");
  char all[512];
  for (int c = 0; c < 256; c++) {
    memset(all, c, sizeof all);
    for (size_t len = 70; len < 100; len++) {
      quote_text((struct text){all, len}, quoted);
      ck_assert_uint_lt(strlen(quoted), QUOTE_MAX);
      ck_assert_int_eq(quoted[strlen(quoted) - 1], '"');
    }
  }
}
END_TEST

START_TEST(printed_text_is_plain_where_that_is_safe) {
  static const char *const cases[][2] = {
      {"enforce", "enforce"}, {"/a/b.c", "/a/b.c"}, {"off", "\"off\""},     {"Yes", "\"Yes\""},
      {"1.3", "\"1.3\""},     {"", "\"\""},         {":9443", "\":9443\""}, {"a b", "\"a b\""},
      {"a*", "\"a*\""},       {"~", "\"~\""},       {"null", "\"null\""},   {"a\n", "\"a\\u000a\""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    buffer_auto out = {.max = 100};
    option_print_text(text_of(cases[i][0]), &out);
    buffer_append(&out, "", 1);
    ck_assert_str_eq(out.data, cases[i][1]);
  }
}
END_TEST

static void add_tests(TCase *tcase) {
  tcase_add_checked_fixture(tcase, set_up, tear_down);
  tcase_add_test(tcase, defaults_are_in_place);
  tcase_add_test(tcase, no_rows_give_a_struct);
  tcase_add_test(tcase, a_bad_default_is_reported);
  tcase_add_test(tcase, bool_takes_two_words);
  tcase_add_test(tcase, int_is_decimal_and_in_range);
  tcase_add_test(tcase, durations_are_those_of_go);
  tcase_add_test(tcase, other_durations_are_refused);
  tcase_add_test(tcase, durations_are_written_as_they_are_read);
  tcase_add_test(tcase, duration_is_in_range);
  tcase_add_test(tcase, quantity_is_in_range);
  tcase_add_test(tcase, names_are_suggested);
  tcase_add_test(tcase, lists_are_replaced_after_clearing);
  tcase_add_test(tcase, strings_hold_no_nul);
  tcase_add_test(tcase, memory_runs_out_anywhere);
  tcase_add_test(tcase, the_nearest_name_is_at_most_a_third_away);
  tcase_add_test(tcase, quoted_text_cannot_steer_a_terminal);
  tcase_add_test(tcase, printed_text_is_plain_where_that_is_safe);
}

int main(void) {
  return run_suite("option", add_tests);
}
