// Inputs that no API server would send, or only for somebody who means harm: whatever comes, every
// rule lives through it and there is an answer.

#include <check.h>
#include <glob.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "admission/buffer.h"
#include "admission/findings.h"
#include "tests/unit/suite.h"
#include "tests/validators/everything.h"
#include "tests/validators/verdict.h"

static struct arena *arena;
static struct admission_config *config;
static glob_t bases;

static struct verdict judged(const char *kind, struct text object, struct text old_object) {
  const char *operation = old_object.len > 0 ? "UPDATE" : "CREATE";
  struct owned_text body = verdict_wrap(kind, operation, object, old_object, NULL);
  struct verdict verdict = verdict_of(config, arena, owned_view(body));
  ck_assert_msg(verdict.status == ADMISSION_ANSWERED, "status %d for %.*s", (int)verdict.status,
                object.len > 1000 ? 1000 : (int)object.len, object.data);
  free(body.data);
  return verdict;
}

static const struct text nothing = {NULL, 0};

// ---- wrong types everywhere ----

static const char *const intruders[] = {"null",
                                        "7",
                                        "-1.5e300",
                                        "9223372036854775807",
                                        "123456789012345678901234567890",
                                        "\"text\"",
                                        "\"\"",
                                        "true",
                                        "[]",
                                        "[null]",
                                        "[[],{},7]",
                                        "{}",
                                        "{\"name\":[],\"limits\":{\"cpu\":{}}}"};
#define INTRUDER_COUNT (sizeof intruders / sizeof intruders[0])

struct base {
  const char *kind;
  json_t *object;
  char *original;
};

// jansson has no integers above 2^63, so an intruder is put in as a mark and then written out.
#define MARK "\"@intruder@\""

static void check_intruder(const struct base *base, const char *marked, const char *intruder) {
  const char *mark = strstr(marked, MARK);
  ck_assert_ptr_nonnull(mark);
  struct buffer text = {.max = (size_t)16 << 20};
  buffer_append(&text, marked, (size_t)(mark - marked));
  buffer_append_text(&text, text_of(intruder));
  buffer_append_text(&text, text_of(mark + strlen(MARK)));
  ck_assert(!text.failed);
  struct text object = {text.data, text.len};
  struct verdict created = judged(base->kind, object, nothing);
  struct verdict changed = judged(base->kind, object, text_of(base->original));
  struct verdict mended = judged(base->kind, text_of(base->original), object);
  verdict_free(&created);
  verdict_free(&changed);
  verdict_free(&mended);
  buffer_free(&text);
}

static void check_intruders(const struct base *base) {
  char *marked = json_dumps(base->object, JSON_COMPACT);
  for (size_t i = 0; i < INTRUDER_COUNT; i++) {
    check_intruder(base, marked, intruders[i]);
  }
  free(marked);
}

// Puts each intruder in the place of every value below `value`.
static void replace_each(const struct base *base, json_t *value) {
  const char *key;
  json_t *item;
  void *next;
  json_object_foreach_safe(value, next, key, item) {
    json_incref(item);
    json_object_set_new(value, key, json_string("@intruder@"));
    check_intruders(base);
    json_object_set_new(value, key, item);
    replace_each(base, item);
  }
  for (size_t k = 0; k < json_array_size(value); k++) {
    item = json_incref(json_array_get(value, k));
    json_array_set_new(value, k, json_string("@intruder@"));
    check_intruders(base);
    json_array_set_new(value, k, item);
    replace_each(base, item);
  }
}

START_TEST(wrong_types_everywhere) {
  struct owned_text text = values_read_file(bases.gl_pathv[_i]);
  json_t *object = json_loadb(text.data, text.len, 0, NULL);
  ck_assert_msg(object != NULL, "%s is not JSON", bases.gl_pathv[_i]);
  char *kind = strdup(json_string_value(json_object_get(object, "kind")));
  struct base base = {kind, object, json_dumps(object, JSON_COMPACT)};
  replace_each(&base, object);
  free(base.original);
  free(kind);
  json_decref(object);
  free(text.data);
}
END_TEST

static const char *const kind_names[] = {"RayCluster", "RayJob", "RayService",         "RayCronJob",
                                         "Pod",        "Node",   "PodDisruptionBudget"};
#define KIND_COUNT (sizeof kind_names / sizeof kind_names[0])

#define BARE_WORKER "{\"metadata\":{\"labels\":{\"ray.io/node-type\":\"worker\"}}}"

START_TEST(hardly_an_object) {
  static const char *const objects[] = {"null",          "7",        "\"x\"", "[]", "{}",
                                        "{\"spec\":{}}", BARE_WORKER};
  for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++) {
    for (size_t k = 0; k < sizeof objects / sizeof objects[0]; k++) {
      struct verdict verdict =
          judged(kind_names[_i], text_of(objects[i]), k == 0 ? nothing : text_of(objects[k]));
      verdict_free(&verdict);
    }
  }
}
END_TEST

// ---- sizes ----

// A RayCluster with `count` worker groups, all of which break several rules.
static struct buffer many_groups(size_t count) {
  struct buffer object = {.max = (size_t)64 << 20};
  buffer_append_text(&object,
                     TEXT("{\"kind\":\"RayCluster\",\"metadata\":{\"name\":\"wide\"},\"spec\":{"
                          "\"enableInTreeAutoscaling\":true,\"workerGroupSpecs\":["));
  for (size_t i = 0; i < count; i++) {
    buffer_printf(&object,
                  "%s{\"groupName\":\"group-%zu\",\"minReplicas\":2,\"maxReplicas\":2,"
                  "\"template\":{\"spec\":{\"tolerations\":[{\"operator\":\"Exists\"}],"
                  "\"containers\":[{\"name\":\"ray-worker\",\"resources\":{\"limits\":{\"cpu\":99,"
                  "\"memory\":\"1Ti\",\"nvidia.com/gpu\":8},\"requests\":{\"cpu\":\"1m\","
                  "\"memory\":\"?\"}}}]}}}",
                  i == 0 ? "" : ",", i);
  }
  buffer_append_text(&object, TEXT("]}}"));
  ck_assert(!object.failed);
  return object;
}

START_TEST(ten_thousand_groups) {
  struct buffer object = many_groups(10000);
  struct text text = {object.data, object.len};
  struct verdict created = judged("RayCluster", text, nothing);
  ck_assert(!created.allowed);
  ck_assert_int_eq(created.code, 403);
  // Each rule keeps FINDINGS_MAX and counts the rest, so that memory stays bounded.
  ck_assert_uint_ge(created.violation_count, 3 * FINDINGS_MAX);
  ck_assert_uint_le(created.violation_count, 20 * FINDINGS_MAX);
  ck_assert_ptr_nonnull(strstr(created.message, "\n- and "));
  ck_assert_ptr_nonnull(strstr(created.message, "\n- cpu-limit (V01): worker group 'group-0'"));
  verdict_free(&created);

  // What was only counted has not been compared with the old object: no silent allow.
  struct verdict updated = judged("RayCluster", text, text);
  ck_assert(!updated.allowed);
  ck_assert_ptr_nonnull(strstr(updated.message, "8000 more findings of this rule"));
  verdict_free(&updated);
  buffer_free(&object);
}
END_TEST

// As many as are kept: nothing of it is new on an update, and the ratchet finds that out in time.
START_TEST(as_many_groups_as_are_kept) {
  struct buffer object = many_groups(FINDINGS_MAX - 1);
  struct text text = {object.data, object.len};
  struct verdict updated = judged("RayCluster", text, text);
  ck_assert_msg(updated.allowed, "%.4000s", updated.message);
  ck_assert_uint_eq(updated.warning_count, ANSWER_WARNINGS_MAX);
  ck_assert(verdict_warns(&updated, "more warnings are left out"));
  verdict_free(&updated);
  buffer_free(&object);
}
END_TEST

START_TEST(the_sums_of_ten_thousand_groups) {
  struct buffer object = many_groups(10000);
  struct verdict verdict = judged("RayCluster", (struct text){object.data, object.len}, nothing);
  bool workers = false;
  bool gpus = false;
  for (size_t i = 0; i < verdict.violation_count; i++) {
    workers = workers || strcmp(verdict.violations[i].rule, "max-workers") == 0;
    gpus = gpus || strcmp(verdict.violations[i].rule, "max-gpus") == 0;
  }
  ck_assert(workers && gpus);
  verdict_free(&verdict);
  buffer_free(&object);
}
END_TEST

// Containers of one name have one key: each old violation answers for one new one.
static const size_t container_counts[] = {FINDINGS_MAX, 30000};

START_TEST(many_containers_of_one_name) {
  struct buffer object = {.max = (size_t)64 << 20};
  buffer_append_text(&object, TEXT("{\"metadata\":{\"name\":\"deep\"},\"spec\":{"
                                   "\"workerGroupSpecs\":[{\"groupName\":\"g\",\"maxReplicas\":1,"
                                   "\"template\":{\"spec\":{\"containers\":["));
  for (size_t i = 0; i < container_counts[_i]; i++) {
    buffer_printf(&object, "%s{\"name\":\"c\",\"resources\":{\"limits\":{\"cpu\":99}}}",
                  i == 0 ? "" : ",");
  }
  buffer_append_text(&object, TEXT("]}}}]}}"));
  struct text text = {object.data, object.len};
  struct verdict created = judged("RayCluster", text, nothing);
  ck_assert(!created.allowed);
  verdict_free(&created);
  struct verdict updated = judged("RayCluster", text, text);
  ck_assert_int_eq(updated.allowed, container_counts[_i] <= FINDINGS_MAX);
  verdict_free(&updated);
  buffer_free(&object);
}
END_TEST

// One list of a single container must not fill the arena: the answer would be 503 for ever, which
// is an allow under failurePolicy Ignore.
START_TEST(many_findings_in_one_list) {
  struct buffer object = {.max = (size_t)64 << 20};
  buffer_append_text(&object,
                     TEXT("{\"metadata\":{\"name\":\"caps\"},\"spec\":{"
                          "\"workerGroupSpecs\":[{\"groupName\":\"g\",\"maxReplicas\":5000,"
                          "\"template\":{\"spec\":{\"containers\":[{\"name\":\"c\","
                          "\"securityContext\":{\"capabilities\":{\"add\":["));
  for (size_t i = 0; i < 350000; i++) {
    buffer_append_text(&object, i == 0 ? TEXT("\"A\"") : TEXT(",\"A\""));
  }
  buffer_append_text(&object, TEXT("]}}}]}}}]}}"));
  struct verdict created = judged("RayCluster", (struct text){object.data, object.len}, nothing);
  ck_assert(!created.allowed);
  ck_assert_ptr_nonnull(strstr(created.message, "max-workers"));
  verdict_free(&created);
  buffer_free(&object);
}
END_TEST

// Names that fill the body must not fill memory with messages about them.
START_TEST(long_names) {
  struct buffer object = {.max = (size_t)64 << 20};
  buffer_append_text(&object, TEXT("{\"metadata\":{\"name\":\"long\"},\"spec\":{"
                                   "\"workerGroupSpecs\":[{\"groupName\":\""));
  for (size_t i = 0; i < 100000; i++) {
    buffer_append_text(&object, TEXT("\u00fcber\\u0001"));
  }
  buffer_append_text(&object,
                     TEXT("\",\"maxReplicas\":99,\"template\":{\"spec\":{\"containers\":["));
  for (size_t i = 0; i < 20000; i++) {
    buffer_printf(&object, "%s{\"name\":\"c%zu\",\"resources\":{\"limits\":{\"cpu\":99}}}",
                  i == 0 ? "" : ",", i);
  }
  buffer_append_text(&object, TEXT("]}}}]}}"));
  ck_assert(!object.failed);
  struct verdict verdict = judged("RayCluster", (struct text){object.data, object.len}, nothing);
  ck_assert(!verdict.allowed);
  verdict_free(&verdict);
  buffer_free(&object);
}
END_TEST

START_TEST(nul_in_names) {
  static const char object[] =
      "{\"metadata\":{\"name\":\"a\\u0000b\"},\"spec\":{\"workerGroupSpecs\":[{\"groupName\":"
      "\"g\\u0000h\",\"maxReplicas\":60,\"template\":{\"spec\":{\"containers\":[{\"name\":"
      "\"c\\u0000d\",\"resources\":{\"limits\":{\"cpu\":\"99\\u0000\",\"memory\":\"99Ti\","
      "\"nvidia.com/gpu\\u0000\":9}}}]}}}]}}";
  struct verdict verdict = judged("RayCluster", text_of(object), nothing);
  ck_assert(!verdict.allowed);
  verdict_free(&verdict);
}
END_TEST

static void set_up(void) {
  arena = arena_new(ADMISSION_ARENA_FIRST, ADMISSION_ARENA_MAX);
  config = everything_config();
}

static void tear_down(void) {
  admission_config_free(config);
  arena_free(arena);
}

static void add_tests(TCase *tcase) {
  tcase_add_loop_test(tcase, wrong_types_everywhere, 0, (int)bases.gl_pathc);
  tcase_add_loop_test(tcase, hardly_an_object, 0, (int)KIND_COUNT);
  tcase_add_test(tcase, ten_thousand_groups);
  tcase_add_test(tcase, the_sums_of_ten_thousand_groups);
  tcase_add_loop_test(tcase, many_containers_of_one_name, 0, 2);
  tcase_add_test(tcase, many_findings_in_one_list);
  tcase_add_test(tcase, as_many_groups_as_are_kept);
  tcase_add_test(tcase, long_names);
  tcase_add_test(tcase, nul_in_names);
  tcase_add_unchecked_fixture(tcase, set_up, tear_down);
}

int main(void) {
  if (glob(SOURCE_DIR "/tests/validators/bases/*.json", 0, NULL, &bases) != 0) {
    return EXIT_FAILURE;
  }
  int status = run_suite("hostile", add_tests);
  globfree(&bases);
  return status;
}
