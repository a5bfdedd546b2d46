#include "admission/patch.h"

#include "admission/json.h"
#include "tests/unit/suite.h"

static struct arena *arena;

static void setup(void) {
  arena = arena_new(4096, 1 << 20);
}

static void teardown(void) {
  arena_free(arena);
}

static struct patch *patch_for(const char *json) {
  yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)json, strlen(json), JSON_READ_FLAGS,
                                     arena_yyjson(arena), NULL);
  ck_assert_ptr_nonnull(doc);
  struct patch *patch = patch_new(yyjson_doc_get_root(doc), arena);
  patch_begin_rule(patch);
  return patch;
}

static void assert_patch(struct patch *patch, const char *expected) {
  struct text text = patch_write(patch);
  ck_assert_ptr_nonnull(text.data);
  char *got = strndup(text.data, text.len);
  ck_assert_str_eq(got, expected);
  free(got);
}

START_TEST(sets_members) {
  struct patch *patch = patch_for("{\"a\":{\"b\":1,\"n\":null},\"l\":[{\"x\":1}]}");
  patch_set(patch, value_int(patch, 2), "/a/b");
  patch_set(patch, value_int(patch, 3), "/a/c");
  patch_set(patch, value_int(patch, 4), "/a/n");
  patch_set(patch, value_int(patch, 5), "/l/%d/x", 0);
  assert_patch(patch,
               "[{\"op\":\"replace\",\"path\":\"/a/b\",\"value\":2},"
               "{\"op\":\"add\",\"path\":\"/a/c\",\"value\":3},"
               "{\"op\":\"add\",\"path\":\"/a/n\",\"value\":4},"
               "{\"op\":\"replace\",\"path\":\"/l/0/x\",\"value\":5}]");
}
END_TEST

START_TEST(creates_parents_once) {
  struct patch *patch = patch_for("{\"spec\":{}}");
  patch_append(patch, value_int(patch, 1), "/spec/dnsConfig/options");
  patch_append(patch, value_int(patch, 2), "/spec/dnsConfig/options");
  patch_set(patch, value_int(patch, 3), "/spec/dnsConfig/x");
  patch_set(patch, value_int(patch, 4), "/spec/dnsConfig/x");
  assert_patch(patch,
               "[{\"op\":\"add\",\"path\":\"/spec/dnsConfig\",\"value\":{\"options\":[1]}},"
               "{\"op\":\"add\",\"path\":\"/spec/dnsConfig/options/-\",\"value\":2},"
               "{\"op\":\"add\",\"path\":\"/spec/dnsConfig/x\",\"value\":3},"
               "{\"op\":\"replace\",\"path\":\"/spec/dnsConfig/x\",\"value\":4}]");
}
END_TEST

START_TEST(escapes_and_removes) {
  struct patch *patch = patch_for("{\"m\":{\"a/b\":1,\"c~d\":2},\"l\":[1,2]}");
  patch_set(patch, value_int(patch, 9), "/m/a~1b");
  patch_set(patch, value_int(patch, 9), "/m/new/p~1q~0r");
  patch_remove(patch, "/m/c~0d");
  patch_remove(patch, "/m/absent");
  patch_remove(patch, "/l/1");
  assert_patch(patch,
               "[{\"op\":\"replace\",\"path\":\"/m/a~1b\",\"value\":9},"
               "{\"op\":\"add\",\"path\":\"/m/new\",\"value\":{\"p/q~r\":9}},"
               "{\"op\":\"remove\",\"path\":\"/m/c~0d\"},"
               "{\"op\":\"remove\",\"path\":\"/l/1\"}]");
}
END_TEST

START_TEST(wrong_type_drops_the_whole_rule) {
  struct patch *patch = patch_for("{\"good\":{},\"tolerations\":\"none\",\"l\":[]}");
  patch_set(patch, value_int(patch, 1), "/good/x");
  patch_append(patch, value_int(patch, 1), "/tolerations");
  patch_set(patch, value_int(patch, 1), "/good/y");
  struct rule_patch outcome = patch_end_rule(patch);
  ck_assert(outcome.refused);
  ck_assert_uint_eq(outcome.operations, 0);
  ck_assert(text_contains(outcome.note, TEXT("/tolerations is not a list")));
  patch_begin_rule(patch);
  patch_set(patch, value_int(patch, 1), "/tolerations/deep");
  ck_assert(patch_end_rule(patch).refused);
  patch_begin_rule(patch);
  patch_set(patch, value_int(patch, 1), "/l/3");
  ck_assert(patch_end_rule(patch).refused);
  patch_begin_rule(patch);
  patch_set(patch, value_int(patch, 1), "/good/z");
  ck_assert(!patch_end_rule(patch).refused);
  assert_patch(patch, "[{\"op\":\"add\",\"path\":\"/good/z\",\"value\":1}]");
}
END_TEST

START_TEST(remembers_a_failure) {
  for (size_t n = 0;; n++) {
    arena_fail_after(arena, SIZE_MAX);
    arena_reset(arena);
    struct patch *patch = patch_for("{\"spec\":{}}");
    arena_fail_after(arena, n);
    yyjson_mut_val *object = value_object(patch);
    value_put_string(patch, object, "k", patch_text(patch, "%d", 7));
    value_put_bool(patch, object, "b", true);
    patch_append(patch, object, "/spec/a/b");
    struct text text = patch_write(patch);
    ck_assert(!patch_failed(patch) || text.data == NULL);
    if (text.data != NULL) {
      ck_assert_uint_gt(n, 2);
      arena_fail_after(arena, SIZE_MAX);
      assert_patch(patch,
                   "[{\"op\":\"add\",\"path\":\"/spec/a\",\"value\":"
                   "{\"b\":[{\"k\":\"7\",\"b\":true}]}}]");
      return;
    }
  }
}
END_TEST

START_TEST(fills_scripts) {
  struct patch *patch = patch_for("{}");
  struct script_value values[] = {{TEXT("@HOST@"), TEXT("h")}, {TEXT("@N@"), TEXT("12")}};
  struct text filled = script_fill(patch, TEXT("@HOST@:@N@ @@X@ @HOST"), values, 2);
  ck_assert(text_equals(filled, TEXT("h:12 @@X@ @HOST")));
}
END_TEST

START_TEST(operations_are_bounded) {
  arena_free(arena);
  arena = arena_new(4096, 64 << 20);
  struct patch *patch = patch_for("{\"l\":[]}");
  for (size_t i = 0; i < PATCH_OPERATIONS_MAX; i++) {
    patch_append(patch, value_int(patch, 1), "/l");
    patch_begin_rule(patch);  // each operation is a rule of its own
  }
  ck_assert_uint_eq(patch_count(patch), PATCH_OPERATIONS_MAX);
  patch_append(patch, value_int(patch, 1), "/l");
  ck_assert(patch_end_rule(patch).refused);
  ck_assert_uint_eq(patch_count(patch), PATCH_OPERATIONS_MAX);
  ck_assert(!patch_failed(patch));
}
END_TEST

static void add_tests(TCase *tcase) {
  tcase_add_checked_fixture(tcase, setup, teardown);
  tcase_add_test(tcase, sets_members);
  tcase_add_test(tcase, creates_parents_once);
  tcase_add_test(tcase, escapes_and_removes);
  tcase_add_test(tcase, wrong_type_drops_the_whole_rule);
  tcase_add_test(tcase, remembers_a_failure);
  tcase_add_test(tcase, fills_scripts);
  tcase_add_test(tcase, operations_are_bounded);
}

int main(void) {
  return run_suite("patch", add_tests);
}
