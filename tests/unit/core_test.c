// text, arena, buffer, error and uid: the small tools of the core.
#include <stdint.h>

#include "admission/arena.h"
#include "admission/buffer.h"
#include "admission/error.h"
#include "admission/json.h"
#include "admission/uid.h"
#include "tests/unit/suite.h"

START_TEST(texts) {
  ck_assert(text_equals((struct text){"a\0b", 3}, (struct text){"a\0b", 3}));
  ck_assert(!text_equals((struct text){"good\0evil", 9}, TEXT("good")));
  ck_assert(text_equals((struct text){NULL, 0}, TEXT("")));
  ck_assert_uint_eq(text_find(TEXT("aab"), TEXT("ab"), 0), 1);
  ck_assert_uint_eq(text_find(TEXT("aab"), TEXT("ab"), 2), 3);
  ck_assert_uint_eq(text_find(TEXT("a"), TEXT("abc"), 0), 1);
  ck_assert(text_equals_ignoring_case(TEXT("TrUe"), TEXT("true")));
  ck_assert(text_matches_glob(TEXT("team-a"), TEXT("team-*")));
  ck_assert(text_matches_glob(TEXT("a-b-c"), TEXT("*-*c")));
  ck_assert(text_matches_glob(TEXT(""), TEXT("*")));
  ck_assert(!text_matches_glob(TEXT("team"), TEXT("team-*")));
  ck_assert(!text_matches_glob(TEXT("xteam-"), TEXT("team-*")));
}
END_TEST

START_TEST(cuts_and_controls) {
  ck_assert(text_equals(text_cut(TEXT("a\xc3\xa4z"), 2), TEXT("a")));
  ck_assert(text_equals(text_cut(TEXT("a\xc3\xa4z"), 3), TEXT("a\xc3\xa4")));
  ck_assert(text_equals(text_cut(TEXT("abc"), 3), TEXT("abc")));
  char bytes[] = "a\nb\x7f\xc2\x9b\xc2\xa0\xc3\xa4";
  ck_assert(text_has_controls(text_of(bytes)));
  text_blank_controls(bytes, sizeof bytes - 1);
  ck_assert_str_eq(bytes, "a b   \xc2\xa0\xc3\xa4");
  ck_assert(!text_has_controls(text_of(bytes)));
}
END_TEST

START_TEST(numbers) {
  unsigned long long value = 7;
  ck_assert(text_to_unsigned(TEXT("65535"), 65535, &value) && value == 65535);
  ck_assert(!text_to_unsigned(TEXT("65536"), 65535, &value));
  ck_assert(!text_to_unsigned(TEXT(""), 10, &value));
  ck_assert(!text_to_unsigned(TEXT("+1"), 10, &value));
  ck_assert(!text_to_unsigned(TEXT("99999999999999999999999"), UINT64_MAX, &value));
  ck_assert(text_to_unsigned(TEXT("18446744073709551615"), UINT64_MAX, &value));
  ck_assert(!text_to_unsigned(TEXT("9"), 3, &value));
}
END_TEST

START_TEST(arena_bounds) {
  struct arena *arena = arena_new(64, 4096);
  ck_assert_ptr_nonnull(arena_alloc(arena, 3000));
  ck_assert_ptr_null(arena_alloc(arena, 3000));
  ck_assert_ptr_null(arena_calloc(arena, SIZE_MAX / 2, 3));
  ck_assert_ptr_null(arena_alloc(arena, SIZE_MAX));
  arena_reset(arena);
  ck_assert_uint_eq(arena_used(arena), 0);
  ck_assert_ptr_nonnull(arena_alloc(arena, 3000));
  arena_fail_after(arena, 1);
  ck_assert_ptr_nonnull(arena_alloc(arena, 1));
  ck_assert_ptr_null(arena_alloc(arena, 1));
  arena_free(arena);
  arena_free(NULL);
}
END_TEST

START_TEST(arena_grows_in_place) {
  struct arena *arena = arena_new(1024, 1 << 20);
  const yyjson_alc *alc = arena_yyjson(arena);
  char *first = alc->malloc(alc->ctx, 10);
  memcpy(first, "123456789", 10);
  char *grown = alc->realloc(alc->ctx, first, 10, 500);
  ck_assert_ptr_eq(first, grown);
  char *moved = alc->realloc(alc->ctx, grown, 500, 5000);
  ck_assert_ptr_ne(moved, grown);
  ck_assert_str_eq(moved, "123456789");
  arena_free(arena);
}
END_TEST

START_TEST(buffers) {
  struct buffer buffer = {.max = 600};
  ck_assert(buffer_printf(&buffer, "%s-%d", "a", 1));
  ck_assert(buffer_append_json_string(&buffer, (struct text){"\"\\\n\0x", 5}));
  ck_assert_int_eq(memcmp(buffer.data, "a-1\"\\\"\\\\\\u000a\\u0000x\"", buffer.len), 0);
  char big[700] = {0};
  ck_assert(!buffer_append(&buffer, big, sizeof big));
  ck_assert(!buffer_append(&buffer, "x", 1));  // remembered
  ck_assert(buffer.failed);
  buffer_free(&buffer);
  ck_assert(buffer_append(&buffer, "x", 1));
  buffer_free(&buffer);
}
END_TEST

START_TEST(errors_wrap) {
  struct error error;
  ck_assert_int_eq(error_set(&error, "inner %d", 1), -1);
  ck_assert_int_eq(error_wrap(&error, "outer"), -1);
  ck_assert_str_eq(error.text, "outer: inner 1");
  char many[2000];
  memset(many, 'x', sizeof many - 1);
  many[sizeof many - 1] = '\0';
  error_wrap(&error, "%s", many);
  ck_assert_uint_eq(strlen(error.text), sizeof error.text - 1);
}
END_TEST

static struct text recovered(const char *body) {
  return uid_recover(body, strlen(body));
}

START_TEST(uids) {
  const char *head =
      "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\","
      "\"request\":{\"uid\":\"3b233a78-c40d\",\"kind\":{";
  ck_assert(text_equals(recovered(head), TEXT("3b233a78-c40d")));
  ck_assert(text_equals(recovered("{\"request\" : { \"uid\" : \"a\" , "), TEXT("a")));
  ck_assert_ptr_null(recovered("{\"uid\":\"a\"}").data);  // not of a request
  ck_assert_ptr_null(recovered("{\"request\":{\"object\":{\"metadata\":{\"uid\":\"b\"").data);
  ck_assert_ptr_null(recovered("{\"request\":{\"uid\":\"a b\"").data);
  ck_assert_ptr_null(recovered("{\"request\":{\"uid\":\"\"").data);
  ck_assert_ptr_null(recovered("{\"request\":{\"uid\":\"abc").data);
  ck_assert_ptr_null(recovered("").data);
  ck_assert_ptr_null(recovered("{\"request\":{\"uid\":"
                               "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                               "aaaaaaaaa\"")
                         .data);
}
END_TEST

static int duplicates(const char *json, struct arena *arena) {
  yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)json, strlen(json), JSON_READ_FLAGS,
                                     arena_yyjson(arena), NULL);
  ck_assert_ptr_nonnull(doc);
  struct text key;
  return json_find_duplicate_key(doc, arena_yyjson(arena), &key);
}

START_TEST(duplicate_keys) {
  struct arena *arena = arena_new(1024, 1 << 20);
  ck_assert_int_eq(duplicates("{\"a\":1,\"b\":{\"a\":1,\"c\":2}}", arena), 0);
  ck_assert_int_eq(duplicates("[1,{\"x\":{\"a\":1,\"b\":1,\"a\":2}}]", arena), 1);
  ck_assert_int_eq(duplicates("{\"a\\u0000\":1,\"a\":1}", arena), 0);
  struct buffer many = {.max = 1 << 20};
  buffer_printf(&many, "{");
  for (int i = 0; i < 500; i++) {
    buffer_printf(&many, "\"k%d\":1,", i);
  }
  struct buffer twice = {.max = 1 << 20};
  buffer_append(&twice, many.data, many.len);
  buffer_append(&many, "\"k500\":1}", 10);
  buffer_append(&twice, "\"k77\":1}", 9);
  ck_assert_int_eq(duplicates(many.data, arena), 0);
  ck_assert_int_eq(duplicates(twice.data, arena), 1);
  arena_fail_after(arena, 2);
  ck_assert_int_eq(duplicates(twice.data, arena), -1);
  buffer_free(&many);
  buffer_free(&twice);
  arena_free(arena);
}
END_TEST

START_TEST(integers) {
  const char *json =
      "[0,-1,9223372036854775807,9223372036854775808,-9223372036854775808,1.5,1e3,"
      "\"5\",-9223372036854775809]";
  yyjson_doc *doc = yyjson_read(json, strlen(json), JSON_READ_FLAGS);
  yyjson_val *list = yyjson_doc_get_root(doc);
  static const bool fits[] = {true, true, true, false, true, false, false, false, false};
  int64_t value = 0;
  for (size_t i = 0; i < sizeof fits; i++) {
    ck_assert_int_eq(json_int64(yyjson_arr_get(list, i), &value), fits[i]);
  }
  ck_assert(json_int64(yyjson_arr_get(list, 4), &value) && value == INT64_MIN);
  ck_assert(json_int64(yyjson_arr_get(list, 1), &value) && value == -1);
  yyjson_doc_free(doc);
}
END_TEST

static void add_tests(TCase *tcase) {
  tcase_add_test(tcase, texts);
  tcase_add_test(tcase, cuts_and_controls);
  tcase_add_test(tcase, numbers);
  tcase_add_test(tcase, arena_bounds);
  tcase_add_test(tcase, arena_grows_in_place);
  tcase_add_test(tcase, buffers);
  tcase_add_test(tcase, errors_wrap);
  tcase_add_test(tcase, uids);
  tcase_add_test(tcase, duplicate_keys);
  tcase_add_test(tcase, integers);
}

int main(void) {
  return run_suite("core", add_tests);
}
