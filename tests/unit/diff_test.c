// Unified diffs: applied to the old text they give the new one.
#include "cli/diff.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT_MAX_BYTES ((size_t)1 << 22)

static unsigned dice = 1;

static unsigned roll(unsigned sides) {
  dice = dice * 1103515245U + 12345U;
  return (dice >> 8) % sides;
}

// The line at *at, with its newline; moves *at behind it.
static struct text next_line(struct text text, size_t *at) {
  size_t end = text_find(text, TEXT("\n"), *at);
  struct text line = text_slice(text, *at, end + 1);
  *at += line.len;
  return line;
}

// Applies the hunks strictly: line numbers, counts and context must be right.
static void apply(struct text before, struct text diff, struct buffer *out) {
  size_t at = 0;
  size_t old_line = 0;
  size_t new_line = 0;
  for (size_t here = 0; here < diff.len;) {
    struct text header = next_line(diff, &here);
    unsigned long from = 0;
    unsigned long count = 0;
    unsigned long new_from = 0;
    unsigned long new_count = 0;
    char copy[128] = "";
    snprintf(copy, sizeof copy, "%.*s", TEXT_ARG(header));
    ck_assert_msg(
        sscanf(copy, "@@ -%lu,%lu +%lu,%lu @@", &from, &count, &new_from, &new_count) == 4, "%s",
        copy);
    for (size_t start = count == 0 ? from : from - 1; old_line < start; old_line++, new_line++) {
      buffer_append_text(out, next_line(before, &at));
    }
    ck_assert_uint_eq(new_line, new_count == 0 ? new_from : new_from - 1);
    while (count > 0 || new_count > 0) {
      struct text step = next_line(diff, &here);
      struct text line = text_slice(step, 1, step.len);
      if (step.data[0] != '+') {
        ck_assert(text_equals(next_line(before, &at), line));
        count--;
        old_line++;
      }
      if (step.data[0] != '-') {
        buffer_append_text(out, line);
        new_count--;
        new_line++;
      }
    }
  }
  buffer_append_text(out, text_slice(before, at, before.len));
}

static void check_diff(struct text before, struct text after, struct buffer *diff) {
  struct buffer found = {.max = TEXT_MAX_BYTES};
  ck_assert_int_eq(diff_unified(before, after, diff), 0);
  apply(before, (struct text){diff->data, diff->len}, &found);
  ck_assert_msg(text_equals((struct text){found.data, found.len}, after), "%.*s", (int)diff->len,
                diff->data);
  buffer_free(&found);
}

static void check_text(struct text before, struct text after, struct text wanted) {
  struct buffer diff = {.max = TEXT_MAX_BYTES};
  check_diff(before, after, &diff);
  ck_assert_msg(text_equals((struct text){diff.data, diff.len}, wanted), "%.*s", (int)diff.len,
                diff.data);
  buffer_free(&diff);
}

START_TEST(test_shapes) {
  check_text(TEXT("a\n"), TEXT("a\n"), TEXT(""));
  check_text(TEXT(""), TEXT("a\n"), TEXT("@@ -0,0 +1,1 @@\n+a\n"));
  check_text(TEXT("a\n"), TEXT(""), TEXT("@@ -1,1 +0,0 @@\n-a\n"));
  check_text(TEXT("a\nb\nc\n"), TEXT("a\nx\nc\n"), TEXT("@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n"));
  // Six lines between two changes: one hunk; seven: two.
  check_text(TEXT("a\n1\n2\n3\n4\n5\n6\nb\n"), TEXT("1\n2\n3\n4\n5\n6\n"),
             TEXT("@@ -1,8 +1,6 @@\n-a\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n"));
  check_text(TEXT("a\n1\n2\n3\n4\n5\n6\n7\nb\n"), TEXT("1\n2\n3\n4\n5\n6\n7\n"),
             TEXT("@@ -1,4 +1,3 @@\n-a\n 1\n 2\n 3\n@@ -6,4 +5,3 @@\n 5\n 6\n 7\n-b\n"));
}
END_TEST

START_TEST(test_random) {
  for (int round = 0; round < 2000; round++) {
    struct buffer before = {.max = TEXT_MAX_BYTES};
    struct buffer after = {.max = TEXT_MAX_BYTES};
    unsigned lines = roll(40);
    for (unsigned i = 0; i < lines; i++) {
      unsigned line = roll(6);
      unsigned change = roll(8);
      if (change != 0) {
        buffer_printf(&before, "line %u\n", line);
      }
      if (change != 1) {
        buffer_printf(&after, "line %u\n", change == 2 ? roll(6) : line);
      }
    }
    struct buffer diff = {.max = TEXT_MAX_BYTES};
    check_diff((struct text){before.data, before.len}, (struct text){after.data, after.len}, &diff);
    buffer_free(&before);
    buffer_free(&after);
    buffer_free(&diff);
  }
}
END_TEST

START_TEST(test_too_different) {
  struct buffer before = {.max = TEXT_MAX_BYTES};
  struct buffer after = {.max = TEXT_MAX_BYTES};
  for (int i = 0; i < 2 * DIFF_CHANGES_MAX; i++) {
    buffer_printf(&before, "old %d\n", i);
    buffer_printf(&after, "new %d\n", i);
  }
  struct buffer diff = {.max = TEXT_MAX_BYTES};
  check_diff((struct text){before.data, before.len}, (struct text){after.data, after.len}, &diff);
  buffer_free(&before);
  buffer_free(&after);
  buffer_free(&diff);
}
END_TEST

START_TEST(test_buffer_full) {
  struct buffer diff = {.max = 8};
  ck_assert_int_eq(diff_unified(TEXT("a\n"), TEXT("b\n"), &diff), -1);
  buffer_free(&diff);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("diff");
  TCase *cases = tcase_create("diff");
  tcase_set_timeout(cases, 60);
  tcase_add_test(cases, test_shapes);
  tcase_add_test(cases, test_random);
  tcase_add_test(cases, test_too_different);
  tcase_add_test(cases, test_buffer_full);
  suite_add_tcase(suite, cases);
  SRunner *runner = srunner_create(suite);
  srunner_set_fork_status(runner, CK_NOFORK);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? 0 : 1;
}
