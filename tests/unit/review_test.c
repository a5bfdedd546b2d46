// The decision from bytes to bytes: what is refused, what is passed over, what memory shortage
// does.
#include "admission/review.h"

#include <jansson.h>

#include "admission/answer.h"
#include "tests/unit/suite.h"

static struct arena *arena;
static struct admission_config *config;
static struct buffer out = {.max = 8 << 20};
static struct decision decision;

static void setup(void) {
  struct error error;
  arena = arena_new(ADMISSION_ARENA_FIRST, ADMISSION_ARENA_MAX);
  config = admission_config_new(&error);
  ck_assert_ptr_nonnull(config);
}

static void teardown(void) {
  admission_config_free(config);
  arena_free(arena);
  buffer_free(&out);
}

static enum admission_status review(const char *body, size_t len) {
  buffer_free(&out);
  return admission_review(config, PHASE_MUTATE, arena, body, len, &out, &decision);
}

// The answer as another library reads it.
static json_t *answer(const char *body) {
  ck_assert_int_eq(review(body, strlen(body)), ADMISSION_ANSWERED);
  json_error_t error;
  json_t *parsed = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, &error);
  ck_assert_msg(parsed != NULL, "%s", error.text);
  ck_assert_str_eq(json_string_value(json_object_get(parsed, "kind")), "AdmissionReview");
  ck_assert_str_eq(json_string_value(json_object_get(parsed, "apiVersion")), "admission.k8s.io/v1");
  return parsed;
}

static void assert_denied(const char *body, const char *uid, int code, const char *message) {
  json_t *parsed = answer(body);
  json_t *response = json_object_get(parsed, "response");
  json_t *status = json_object_get(response, "status");
  ck_assert_str_eq(json_string_value(json_object_get(response, "uid")), uid);
  ck_assert(json_is_false(json_object_get(response, "allowed")));
  ck_assert_int_eq(json_integer_value(json_object_get(status, "code")), code);
  const char *text = json_string_value(json_object_get(status, "message"));
  ck_assert_msg(strstr(text, message) != NULL, "'%s' is not in '%s'", message, text);
  ck_assert_ptr_null(json_object_get(response, "patch"));
  json_decref(parsed);
}

#define HEAD "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\",\"request\":"

START_TEST(undecodable_with_uid_is_denied) {
  assert_denied(HEAD "{\"uid\":\"u-1\",\"object\":{", "u-1", 400, "not valid JSON");
  assert_denied(HEAD "{\"uid\":\"u-1\",\"object\":{]", "u-1", 400, "at byte 94");
  assert_denied(
      "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1beta1\","
      "\"request\":{\"uid\":\"u-2\"}}",
      "u-2", 400, "admission.k8s.io/v1beta1");
  assert_denied("{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"request\":{\"uid\":\"u-3\"}}", "u-3",
                400, "found kind Pod");
  // A name that is cut is cut between two characters: the answer must stay UTF-8.
  struct buffer odd = {.max = 4096};
  buffer_printf(&odd, "{\"kind\":\"a");
  for (int i = 0; i < 200; i++) {
    buffer_append_text(&odd, TEXT("\xc3\xa4"));
  }
  buffer_printf(&odd, "\",\"apiVersion\":\"v1\",\"request\":{\"uid\":\"u-6\"}}");
  buffer_append(&odd, "", 1);
  assert_denied(odd.data, "u-6", 400, "rayfix understands");
  buffer_free(&odd);
  assert_denied("{\"kind\":4,\"request\":{\"uid\":\"u-3\"}}", "u-3", 400, "a number");
  assert_denied(HEAD "{\"uid\":\"u-4\",\"object\":{\"a\":1,\"b\":2,\"a\":3}}}", "u-4", 400,
                "the key 'a' twice");
  assert_denied(HEAD "{\"uid\":\"u-5\",\"x\":\"\xff\"}}", "u-5", 400, "not valid JSON");
}
END_TEST

START_TEST(undecodable_without_uid_is_a_bad_request) {
  static const char *const bodies[] = {"",         "x",
                                       "[]",       "null",
                                       "{}",       "{\"request\":{\"uid\":7}}",
                                       HEAD "{}}", HEAD "{\"uid\":\"\"}}",
                                       HEAD "7}"};
  for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
    ck_assert_int_eq(review(bodies[i], strlen(bodies[i])), ADMISSION_BAD_REQUEST);
    json_t *status = json_loadb(out.data, out.len, 0, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(status, "kind")), "Status");
    ck_assert_int_eq(json_integer_value(json_object_get(status, "code")), 400);
    ck_assert_int_gt((int)json_string_length(json_object_get(status, "message")), 0);
    json_decref(status);
  }
}
END_TEST

START_TEST(oversize) {
  const char *head = HEAD "{\"uid\":\"big-1\",";
  buffer_free(&out);
  ck_assert_int_eq(admission_refuse_oversize(head, strlen(head), &out), ADMISSION_ANSWERED);
  ck_assert_ptr_nonnull(memmem(out.data, out.len, "\"uid\":\"big-1\"", 13));
  ck_assert_ptr_nonnull(memmem(out.data, out.len, "\"code\":413", 10));
  buffer_free(&out);
  ck_assert_int_eq(admission_refuse_oversize("x", 1, &out), ADMISSION_BAD_REQUEST);
  ck_assert_ptr_nonnull(memmem(out.data, out.len, "\"code\":413", 10));
}
END_TEST

static void assert_passed_over(const char *request, const char *reason) {
  struct buffer body = {.max = 1 << 20};
  buffer_printf(&body, HEAD "{\"uid\":\"u\",%s}}", request);
  buffer_append(&body, "", 1);
  json_t *parsed = answer(body.data);
  json_t *response = json_object_get(parsed, "response");
  ck_assert(json_is_true(json_object_get(response, "allowed")));
  ck_assert_ptr_null(json_object_get(response, "patch"));
  ck_assert_ptr_null(json_object_get(response, "patchType"));
  ck_assert_ptr_null(json_object_get(response, "warnings"));
  ck_assert_msg(text_equals(decision.reason, text_of(reason)), "%s", request);
  json_decref(parsed);
  buffer_free(&body);
}

#define POD_KIND "\"kind\":{\"group\":\"\",\"version\":\"v1\",\"kind\":\"Pod\"},"
#define CREATE POD_KIND "\"operation\":\"CREATE\","
#define WORKER "\"metadata\":{\"labels\":{\"ray.io/node-type\":\"worker\"}%s}"

// semantics §1.1 Decision 2, traps 34 and 35
START_TEST(traps_34_and_35_out_of_scope) {
  const char *worker =
      "\"object\":{\"metadata\":{\"labels\":{\"ray.io/node-type\":\"worker\"}},"
      "\"spec\":{\"containers\":[{\"name\":\"c\"}]}}";
  struct text update = arena_printf(arena, POD_KIND "\"operation\":\"UPDATE\",%s", worker);
  assert_passed_over(update.data, "not the creation of a pod");
  struct text sub = arena_printf(arena, CREATE "\"subResource\":\"binding\",%s", worker);
  assert_passed_over(sub.data, "not the creation of a pod");
  struct text other = arena_printf(
      arena, "\"kind\":{\"group\":\"apps\",\"kind\":\"Pod\"},\"operation\":\"CREATE\",%s", worker);
  assert_passed_over(other.data, "not the creation of a pod");
  assert_passed_over(CREATE
                     "\"object\":{\"metadata\":{\"labels\":{\"ray.io/node-type\":"
                     "\"redis-cleanup\",\"ray.io/is-ray-node\":\"yes\"}}}",
                     "not a Ray node");
  assert_passed_over(CREATE "\"object\":{\"metadata\":{}}", "not a Ray node");
  assert_passed_over(CREATE "\"object\":null", "not a Ray node");
  assert_passed_over(CREATE
                     "\"object\":{\"metadata\":{\"deletionTimestamp\":\"x\",\"labels\":"
                     "{\"ray.io/node-type\":\"worker\"}}}",
                     "terminating");
  assert_passed_over(CREATE
                     "\"object\":{\"metadata\":{\"labels\":{\"ray.io/node-type\":\"worker\"}"
                     "},\"spec\":{\"os\":{\"name\":\"windows\"}}}",
                     "windows");
  assert_passed_over(CREATE
                     "\"object\":{\"metadata\":{\"annotations\":"
                     "{\"kubernetes.io/config.mirror\":\"x\"},\"labels\":"
                     "{\"ray.io/node-type\":\"head\"}}}",
                     "mirror pod");
  assert_passed_over(CREATE
                     "\"object\":{\"metadata\":{\"labels\":{\"ray.io/node-type\":\"head\"}},"
                     "\"spec\":{\"containers\":\"str\"}}",
                     "no containers");
  assert_passed_over(CREATE
                     "\"object\":{\"metadata\":{\"annotations\":{\"rayfix.io/skip\":\"true\"}"
                     ",\"labels\":{\"ray.io/node-type\":\"head\"}},\"spec\":"
                     "{\"containers\":[{}]}}",
                     "opted out");
}
END_TEST

START_TEST(exemptions) {
  config->exempt_namespaces = (struct text_list){(struct text[]){TEXT("kube-*")}, 1};
  config->exempt_users = (struct text_list){(struct text[]){TEXT("system:serviceaccount:a:b")}, 1};
  const char *exempt = HEAD "{\"uid\":\"u\",\"namespace\":\"kube-system\"}}";
  json_t *parsed = answer(exempt);
  ck_assert(text_equals(decision.reason, TEXT("exempt namespace")));
  json_decref(parsed);
  parsed = answer(HEAD
                  "{\"uid\":\"u\",\"namespace\":\"x\",\"userInfo\":{\"username\":"
                  "\"system:serviceaccount:a:b\"}}}");
  ck_assert(text_equals(decision.reason, TEXT("exempt user")));
  json_decref(parsed);
}
END_TEST

// protocol §1.17: what the API server would cut or drop never reaches it.
START_TEST(answers_keep_the_limits) {
  struct answer long_answer = {.uid = TEXT("u\"1"), .allowed = true};
  char text[400];
  memset(text, 'a', sizeof text);
  text[10] = '\n';
  text[249] = '\xc3';
  text[250] = '\xa4';
  for (int i = 0; i < 15; i++) {
    answer_warn(&long_answer, (struct text){text, sizeof text});
  }
  buffer_free(&out);
  ck_assert_int_eq(answer_write(&long_answer, arena, &out), 0);
  json_t *parsed = json_loadb(out.data, out.len, 0, NULL);
  json_t *response = json_object_get(parsed, "response");
  json_t *warnings = json_object_get(response, "warnings");
  ck_assert_str_eq(json_string_value(json_object_get(response, "uid")), "u\"1");
  ck_assert_uint_eq(json_array_size(warnings), ANSWER_WARNINGS_MAX);
  const char *first = json_string_value(json_array_get(warnings, 0));
  ck_assert_uint_eq(strlen(first), 249);  // not through the middle of a character
  ck_assert_ptr_null(strchr(first, '\n'));
  ck_assert_str_eq(json_string_value(json_array_get(warnings, 9)),
                   "rayfix: 6 more warnings are left out");
  json_decref(parsed);
}
END_TEST

START_TEST(out_of_memory_then_works) {
  const char *body = HEAD "{\"uid\":\"u\"," CREATE "\"object\":{\"metadata\":{}}}}";
  size_t failures = 0;
  for (size_t n = 0; n < 1000; n++, failures++) {
    arena_fail_after(arena, n);
    if (review(body, strlen(body)) != ADMISSION_OUT_OF_MEMORY) {
      break;
    }
  }
  ck_assert_uint_ge(failures, 2);
  ck_assert_uint_lt(failures, 1000);
  arena_fail_after(arena, SIZE_MAX);
  struct buffer small = {.max = 20};
  ck_assert_int_eq(
      admission_review(config, PHASE_MUTATE, arena, body, strlen(body), &small, &decision),
      ADMISSION_OUT_OF_MEMORY);
  buffer_free(&small);
  json_decref(answer(body));
}
END_TEST

// 503 would be asked for again and again, and at last be an allow.
START_TEST(more_than_one_review_may_take) {
  struct arena *small = arena_new(4096, 64 << 10);
  struct buffer body = {.max = 1 << 20};
  buffer_printf(&body, HEAD "{\"uid\":\"u-9\"," CREATE "\"object\":[0");
  for (int i = 0; i < 20000; i++) {
    buffer_append(&body, ",0", 2);
  }
  buffer_append(&body, "]}}", 3);
  buffer_free(&out);
  ck_assert_int_eq(
      admission_review(config, PHASE_VALIDATE, small, body.data, body.len, &out, &decision),
      ADMISSION_ANSWERED);
  ck_assert(!decision.allowed);
  ck_assert_ptr_nonnull(memmem(out.data, out.len, "\"code\":413", 10));
  ck_assert_ptr_nonnull(memmem(out.data, out.len, "\"uid\":\"u-9\"", 11));
  buffer_free(&body);
  arena_free(small);
}
END_TEST

START_TEST(hostile_bytes) {
  size_t depth = 10000;
  struct buffer deep = {.max = 1 << 20};
  buffer_printf(&deep, HEAD "{\"uid\":\"u\"," CREATE "\"object\":");
  for (size_t i = 0; i < depth; i++) {
    buffer_append(&deep, "[", 1);
  }
  for (size_t i = 0; i < depth; i++) {
    buffer_append(&deep, "]", 1);
  }
  buffer_append(&deep, "}}", 3);
  json_decref(answer(deep.data));
  ck_assert(decision.allowed);
  buffer_free(&deep);
  json_decref(answer(HEAD "{\"uid\":\"u\"," CREATE
                          "\"object\":{\"a\":100000000000000000000,\"b\\u0000\":\"\\u0000\","
                          "\"c\":1e400}}}"));
  ck_assert(decision.allowed);
}
END_TEST

static void add_tests(TCase *tcase) {
  tcase_add_checked_fixture(tcase, setup, teardown);
  tcase_add_test(tcase, undecodable_with_uid_is_denied);
  tcase_add_test(tcase, undecodable_without_uid_is_a_bad_request);
  tcase_add_test(tcase, oversize);
  tcase_add_test(tcase, traps_34_and_35_out_of_scope);
  tcase_add_test(tcase, exemptions);
  tcase_add_test(tcase, answers_keep_the_limits);
  tcase_add_test(tcase, out_of_memory_then_works);
  tcase_add_test(tcase, more_than_one_review_may_take);
  tcase_add_test(tcase, hostile_bytes);
}

int main(void) {
  return run_suite("review", add_tests);
}
