#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admission/buffer.h"
#include "cluster/base64.h"
#include "cluster/calls_describe.h"
#include "cluster/fault_set.h"
#include "cluster/material.h"
#include "cluster/query.h"
#include "cluster/redact.h"
#include "cluster/resource.h"
#include "cluster/retry.h"
#include "cluster/status.h"
#include "suite.h"

// The parts of the API client that need no server.

START_TEST(paths) {
  char path[RESOURCE_PATH_MAX];
  ck_assert(resource_path(&resource_secrets, "ns", "x", path));
  ck_assert_str_eq(path, "/api/v1/namespaces/ns/secrets/x");
  ck_assert(resource_path(&resource_secrets, NULL, NULL, path));
  ck_assert_str_eq(path, "/api/v1/secrets");
  ck_assert(resource_path(&resource_secrets, "", NULL, path));
  ck_assert_str_eq(path, "/api/v1/secrets");
  ck_assert(resource_path(&resource_mutating_webhooks, "ignored", "rayfix", path));
  ck_assert_str_eq(path,
                   "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/rayfix");
  ck_assert(resource_path(&resource_ray_clusters, "a", "b c:d?e#f", path));
  ck_assert_str_eq(path, "/apis/ray.io/v1/namespaces/a/rayclusters/b%20c%3Ad%3Fe%23f");
}
END_TEST

START_TEST(paths_that_are_refused) {
  static const char *const names[] = {"", ".", "..", "a/b", "/", "a%2Fb"};
  char path[RESOURCE_PATH_MAX];
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    ck_assert(!resource_path(&resource_secrets, "ns", names[i], path));
    ck_assert_str_eq(path, "");
    if (names[i][0] != '\0') {
      ck_assert(!resource_path(&resource_secrets, names[i], "x", path));
    }
  }
  char name[RESOURCE_PATH_MAX];
  memset(name, 'x', sizeof name);
  name[sizeof name - 1] = '\0';
  ck_assert(!resource_path(&resource_secrets, "ns", name, path));
}
END_TEST

START_TEST(queries) {
  buffer_auto path = {.max = 64};
  query_add(&path, "a", NULL);
  query_add(&path, "a", "");
  query_add(&path, "labelSelector", "a=b,c d&e\xc3\xa9");
  buffer_append(&path, "", 1);
  ck_assert_str_eq(path.data, "&labelSelector=a%3Db%2Cc%20d%26e%C3%A9");
  query_add(&path, "b", "a value that does not fit into what is left of it");
  ck_assert(path.failed);
}
END_TEST

START_TEST(descriptions) {
  char what[CALLS_WHAT_MAX];
  calls_describe(what, "get", &resource_secrets, "ns", "x");
  ck_assert_str_eq(what, "get secrets/x in ns");
  calls_describe(what, "list", &resource_pods, NULL, NULL);
  ck_assert_str_eq(what, "list pods");
  calls_describe(what, "get", &resource_nodes, "ns", "n");
  ck_assert_str_eq(what, "get nodes/n");
}
END_TEST

static bool decodes_to(const char *text, const char *wanted, size_t len) {
  buffer_auto out = {.max = 100};
  return base64_decode(text_of(text), &out) &&
         text_equals((struct text){out.data, out.len}, (struct text){wanted, len});
}

START_TEST(base64) {
  ck_assert(decodes_to("", "", 0));
  ck_assert(decodes_to("YQ==", "a", 1));
  ck_assert(decodes_to("YWI=", "ab", 2));
  ck_assert(decodes_to("Y\nW\r\nJj ", "abc", 3));
  ck_assert(decodes_to("AAAA", "\0\0\0", 3));
  static const char *const bad[] = {
      "Y", "YQ", "YQ=", "YQ===", "=YQ=", "YQ==YQ==", "Y?==", "YQ\x01=", "----", "===="};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    buffer_auto out = {.max = 100};
    ck_assert_msg(!base64_decode(text_of(bad[i]), &out), "%s", bad[i]);
    ck_assert_uint_eq(out.len, 0);
  }
  buffer_auto small = {.max = 2};
  ck_assert(!base64_decode(TEXT("YWJj"), &small));
  ck_assert(small.failed);
  buffer_auto out = {.max = 100};
  ck_assert(base64_encode(TEXT("abcd"), &out) && base64_encode(TEXT(""), &out));
  ck_assert(text_equals((struct text){out.data, out.len}, TEXT("YWJjZA==")));
}
END_TEST

static const char *redacted(const char *message) {
  static char copy[1024];
  const struct text secrets[] = {TEXT("the-token"), TEXT("short")};
  snprintf(copy, sizeof copy, "%s", message);
  redact(copy, sizeof copy, secrets, 2);
  return copy;
}

START_TEST(redaction) {
  ck_assert_str_eq(redacted("the-token"), REDACTED);
  ck_assert_str_eq(redacted("a the-tokenthe-token b"), "a " REDACTED REDACTED " b");
  ck_assert_str_eq(redacted("short names stay"), "short names stay");
  ck_assert_str_eq(redacted("Authorization: Bearer abc.def-_~ x"),
                   "Authorization: Bearer " REDACTED " x");
  ck_assert_str_eq(redacted("Bearer "), "Bearer ");
  ck_assert_str_eq(redacted("jwt eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln, ok"),
                   "jwt " REDACTED ", ok");
  ck_assert_str_eq(
      redacted("x -----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY----- y"),
      "x " REDACTED " y");
  ck_assert_str_eq(redacted("x -----BEGIN PRIVATE KEY-----\nMHc cut of"), "x " REDACTED);
  ck_assert_str_eq(redacted("x -----BEGIN A-----\nMHc -----END A"), "x " REDACTED);
  char long_one[400];
  memset(long_one, 'Q', sizeof long_one);
  long_one[REDACT_BASE64_MIN] = '\0';
  ck_assert_str_eq(redacted(long_one), REDACTED);
  long_one[REDACT_BASE64_MIN - 1] = '\0';
  ck_assert_str_eq(redacted(long_one), long_one);
  ck_assert_str_eq(redacted(""), "");
}
END_TEST

START_TEST(redaction_stays_in_its_size) {
  for (size_t size = 1; size < 40; size++) {
    char message[64];
    memset(message, 'x', sizeof message);
    snprintf(message, size, "a the-token b the-token c");
    const struct text secret = TEXT("the-token");
    redact(message, size, &secret, 1);
    ck_assert_uint_lt(strnlen(message, sizeof message), size);
    ck_assert(message[size] == 'x');
  }
}
END_TEST

struct wait_case {
  struct attempt attempt;
  int64_t at_least;  // -1: no further attempt
  int64_t at_most;
};

// Short names for the rows: R may be done twice, S was sent, A was answered.
#define R .is_repeatable = true
#define S .was_sent = true
#define A(code) .was_answered = true, .http_code = (code)
#define LEFT(ms) .remaining_ms = (ms)
#define AFTER(seconds) .retry_after = (seconds)

START_TEST(retries) {
  // clang-format off
  static const struct wait_case table[] = {
    // not answered
    {{.number = 1, LEFT(9999), AFTER(-1)}, 50, 150},
    {{.number = 1, LEFT(9999), AFTER(-1), S}, -1, -1},
    {{.number = 1, LEFT(9999), AFTER(-1), S, R}, 50, 150},
    {{.number = 1, LEFT(9999), AFTER(-1), R, .is_hopeless = true}, -1, -1},
    {{.number = 1, LEFT(10), AFTER(-1)}, -1, -1},
    {{.number = 3, LEFT(9999), AFTER(-1)}, 200, 600},
    {{.number = 99, LEFT(99999), AFTER(-1)}, 2500, 7500},
    // answered
    {{.number = 1, LEFT(9999), AFTER(2), A(429)}, 2000, 2100},
    {{.number = 1, LEFT(1999), AFTER(2), A(429)}, -1, -1},
    {{.number = 1, LEFT(9999), AFTER(0), A(503)}, 0, 100},
    {{.number = 1, LEFT(9999), AFTER(-1), A(429)}, 50, 150},
    {{.number = 1, LEFT(9999), AFTER(-1), A(503)}, -1, -1},
    {{.number = 1, LEFT(9999), AFTER(-1), A(503), R}, 50, 150},
    {{.number = 1, LEFT(9999), AFTER(1), A(404), R}, -1, -1},
    {{.number = 1, LEFT(9999), AFTER(-1), A(409), R}, -1, -1},
    {{.number = 1, LEFT(9999), AFTER(-1), A(501), R}, -1, -1},
    {{.number = 1, LEFT(0), AFTER(0), A(503)}, -1, -1},
    {{.number = 1, LEFT(INT64_MAX), AFTER(INT_MAX), A(503)},
     INT_MAX * 1000LL, INT_MAX * 1000LL + 100},
  };
  // clang-format on
  static const uint32_t randoms[] = {0, 1, 12345, UINT32_MAX};
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    for (size_t k = 0; k < sizeof randoms / sizeof randoms[0]; k++) {
      struct attempt attempt = table[i].attempt;
      attempt.random = randoms[k];
      int64_t wait = retry_wait(&attempt);
      ck_assert_msg(wait >= table[i].at_least && wait <= table[i].at_most, "row %zu: %lld", i,
                    (long long)wait);
    }
  }
}
END_TEST

START_TEST(jitter_spreads) {
  int64_t least = INT64_MAX;
  int64_t most = 0;
  for (uint32_t random = 0; random < 1000; random++) {
    int64_t wait = retry_backoff(3, RETRY_LAST_MS, random * 2654435761U);
    least = wait < least ? wait : least;
    most = wait > most ? wait : most;
  }
  ck_assert_int_lt(least, 220);
  ck_assert_int_gt(most, 580);
}
END_TEST

START_TEST(statuses) {
  struct fault fault;
  struct text body = TEXT(
      "{\"kind\":\"Status\",\"code\":409,\"reason\":\"AlreadyExists\","
      "\"message\":\"it\\nis\\u001b[2J there\"}");
  ck_assert_int_eq(status_fault("create x", 409, true, body, &fault), -1);
  ck_assert_int_eq(fault.kind, FAULT_ALREADY_EXISTS);
  ck_assert_int_eq(fault.http_code, 409);
  ck_assert_str_eq(fault.error.text, "create x: 409 AlreadyExists: it is [2J there");
  status_fault("get x", 404, false, TEXT("404 page not found"), &fault);
  ck_assert_str_eq(fault.error.text, "get x: 404 NotFound: 404 page not found");
  status_fault("get x", 503, false, TEXT(""), &fault);
  ck_assert_str_eq(fault.error.text, "get x: 503 ServiceUnavailable");
  status_fault("get x", 418, true, TEXT("[1]"), &fault);
  ck_assert_str_eq(fault.error.text, "get x: 418");
  ck_assert_int_eq(fault.kind, FAULT_INVALID);
  status_fault("get x", 403, true, TEXT("{\"message\":5,\"reason\":null}"), &fault);
  ck_assert_str_eq(fault.error.text, "get x: 403 Forbidden");
  status_fault("get x", 307, false, TEXT(""), &fault);
  ck_assert_int_eq(fault.kind, FAULT_PROTOCOL);
  json_auto_t *status = json_loads("{\"code\":99999,\"message\":\"odd\"}", 0, NULL);
  status_fault_of("watch x", status, &fault);
  ck_assert_str_eq(fault.error.text, "watch x: 500 InternalError: odd");
}
END_TEST

START_TEST(a_long_message_is_cut) {
  static char body[20000];
  struct fault fault;
  int head = snprintf(body, sizeof body, "{\"message\":\"");
  memset(body + head, 'm', sizeof body - (size_t)head);
  memcpy(body + sizeof body - 3, "\"}", 3);
  status_fault("get x", 403, true, text_of(body), &fault);
  ck_assert_uint_lt(strlen(fault.error.text), sizeof fault.error.text);
  ck_assert_ptr_nonnull(strstr(fault.error.text, "403 Forbidden: mmm"));
}
END_TEST

START_TEST(every_fault_has_a_name) {
  for (int kind = FAULT_NONE; kind <= FAULT_MEMORY; kind++) {
    ck_assert_str_ne(fault_name((enum fault_kind)kind), "unknown");
  }
  ck_assert_str_eq(fault_name((enum fault_kind)1000), "unknown");
  ck_assert(fault_is_passing(FAULT_BUSY) && !fault_is_passing(FAULT_FORBIDDEN));
}
END_TEST

static char path[] = "/tmp/rayfix-material-XXXXXX";

static void put(const char *text, size_t len) {
  int fd = open(path, O_WRONLY | O_TRUNC | O_CREAT, 0600);
  ck_assert_int_ge(fd, 0);
  ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
  close(fd);
}

START_TEST(materials) {
  struct error error;
  struct material material = {.path = NULL};
  int fd = mkstemp(path);
  close(fd);
  ck_assert_int_eq(material_set(&material, NULL, path), 0);
  ck_assert_int_eq(material_refresh(&material, &error), -1);
  ck_assert_ptr_nonnull(strstr(error.text, "is empty"));
  put(" one \r\n\n", 8);
  ck_assert_int_eq(material_refresh(&material, &error), 0);
  ck_assert_str_eq(material.bytes, " one");
  put("twotwo", 6);
  ck_assert_int_eq(material_refresh(&material, &error), 0);
  ck_assert_str_eq(material.bytes, "twotwo");
  put("\0x", 2);  // what cannot be used leaves what was there
  ck_assert_int_eq(material_refresh(&material, &error), 0);
  ck_assert_str_eq(material.bytes, "twotwo");
  unlink(path);
  ck_assert_int_eq(material_refresh(&material, &error), 0);
  material_free(&material);
  ck_assert_int_eq(material_set(&material, NULL, "/tmp"), 0);
  ck_assert_int_eq(material_refresh(&material, &error), -1);
  ck_assert_str_eq(error.text, "/tmp: is no regular file");
  material_free(&material);
}
END_TEST

// What jansson allocates fails from some time on: never a crash, and a fault each time.
static size_t allowed;

static void *take(size_t size) {
  return allowed == 0 ? NULL : (allowed--, malloc(size));
}

START_TEST(statuses_without_memory) {
  struct fault fault;
  struct text body = TEXT("{\"code\":403,\"reason\":\"Forbidden\",\"message\":\"why\"}");
  for (size_t count = 0; count < 40; count++) {
    allowed = count;
    json_set_alloc_funcs(take, free);
    status_fault("get x", 403, true, body, &fault);
    json_set_alloc_funcs(malloc, free);
    ck_assert_int_eq(fault.kind, FAULT_FORBIDDEN);
    ck_assert_ptr_nonnull(strstr(fault.error.text, "get x: 403 Forbidden"));
  }
}
END_TEST

static void add_tests(TCase *tcase) {
  tcase_add_test(tcase, paths);
  tcase_add_test(tcase, paths_that_are_refused);
  tcase_add_test(tcase, queries);
  tcase_add_test(tcase, descriptions);
  tcase_add_test(tcase, base64);
  tcase_add_test(tcase, redaction);
  tcase_add_test(tcase, redaction_stays_in_its_size);
  tcase_add_test(tcase, retries);
  tcase_add_test(tcase, jitter_spreads);
  tcase_add_test(tcase, statuses);
  tcase_add_test(tcase, a_long_message_is_cut);
  tcase_add_test(tcase, every_fault_has_a_name);
  tcase_add_test(tcase, materials);
  tcase_add_test(tcase, statuses_without_memory);
}

int main(void) {
  return run_suite("cluster_parts", add_tests);
}
