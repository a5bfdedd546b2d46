// Inputs that no API server would send, or only for somebody who means harm: whatever comes, the
// answer is "allowed", and a patch applies.

#include <check.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "admission/buffer.h"
#include "tests/rules/json_patch.h"
#include "tests/rules/review.h"
#include "tests/rules/table.h"
#include "tests/unit/suite.h"

static struct arena *arena;
static struct admission_config *config;
static glob_t bases;

static void check_allowed(const char *what, struct text object) {
  struct reviewed reviewed = review_object(config, arena, object);
  ck_assert_msg(reviewed.status == ADMISSION_ANSWERED, "%s: status %d", what, (int)reviewed.status);
  ck_assert_msg(reviewed.allowed, "%s: denied: %s", what, reviewed.answer.data);
  if (reviewed.patch_text.data != NULL) {
    struct owned_text result = values_apply(object, owned_view(reviewed.patch_text));
    ck_assert_msg(result.data != NULL, "%s: the patch does not apply: %s", what,
                  reviewed.patch_text.data);
    free(result.data);
  }
  reviewed_free(&reviewed);
}

// ---- wrong types everywhere ----

static const char *const intruders[] = {"null", "7",  "-1.5e300", "\"text\"", "\"\"",
                                        "true", "[]", "[null]",   "{}",       "{\"name\":[]}"};
#define INTRUDER_COUNT (sizeof intruders / sizeof intruders[0])

// Applies the patch with jansson too, the other library.
static void check_pod(const char *what, json_t *pod) {
  struct error error;
  char *text = json_dumps(pod, JSON_COMPACT);
  struct reviewed reviewed = review_object(config, arena, text_of(text));
  ck_assert_msg(reviewed.status == ADMISSION_ANSWERED && reviewed.allowed, "%s: %s", what, text);
  json_t *result = json_patch_apply(pod, reviewed.patch, &error);
  ck_assert_msg(result != NULL, "%s: %s\n%s", what, error.text, text);
  json_decref(result);
  reviewed_free(&reviewed);
  free(text);
}

// Puts each intruder in the place of every value below `value`, and takes the value away.
static void replace_each(const char *what, json_t *pod, json_t *value) {
  const char *key;
  json_t *item;
  void *next;
  json_object_foreach_safe(value, next, key, item) {
    json_incref(item);
    for (size_t i = 0; i < INTRUDER_COUNT; i++) {
      json_object_set_new(value, key, json_loads(intruders[i], JSON_DECODE_ANY, NULL));
      check_pod(what, pod);
    }
    json_object_set_new(value, key, item);
    replace_each(what, pod, item);
  }
  for (size_t k = 0; k < json_array_size(value); k++) {
    item = json_incref(json_array_get(value, k));
    for (size_t i = 0; i < INTRUDER_COUNT; i++) {
      json_array_set_new(value, k, json_loads(intruders[i], JSON_DECODE_ANY, NULL));
      check_pod(what, pod);
    }
    json_array_set_new(value, k, item);
    replace_each(what, pod, item);
  }
}

START_TEST(wrong_types_are_the_api_servers_business) {
  struct owned_text text = values_read_file(bases.gl_pathv[_i]);
  json_t *pod = json_loadb(text.data, text.len, 0, NULL);
  json_object_set_new(json_object_get(json_object_get(pod, "metadata"), "annotations"),
                      "rayfix.io/spot", json_string("require"));
  replace_each(bases.gl_pathv[_i], pod, pod);
  json_decref(pod);
  free(text.data);
}
END_TEST

START_TEST(missing_members_are_missing) {
  static const char *const objects[] = {
      "null",
      "7",
      "\"pod\"",
      "[]",
      "{}",
      "{\"metadata\":{\"labels\":{\"ray.io/node-type\":\"worker\"}}}",
      "{\"metadata\":{\"labels\":{\"ray.io/node-type\":\"worker\"}},\"spec\":{}}",
      "{\"metadata\":{\"labels\":{\"ray.io/node-type\":\"head\"}},\"spec\":{\"containers\":[{}]}}",
      "{\"metadata\":{\"labels\":{\"ray.io/node-type\":\"head\"}},\"spec\":{\"containers\":[7]}}",
      "{\"metadata\":{\"labels\":{\"ray.io/node-type\":\"head\"}},\"spec\":{\"containers\":{}}}",
  };
  for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++) {
    check_allowed(objects[i], text_of(objects[i]));
  }
}
END_TEST

// ---- odd bytes and sizes ----

static void pod_with(struct buffer *pod, const char *metadata, const char *spec) {
  buffer_printf(pod,
                "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{%s\"labels\":"
                "{\"ray.io/node-type\":\"worker\"}},\"spec\":{%s\"containers\":[{\"name\":"
                "\"ray-worker\",\"command\":[\"/bin/bash\",\"-c\",\"--\"],\"resources\":"
                "{\"limits\":{\"memory\":\"32Gi\",\"nvidia.com/gpu\":\"1\"}}}]}}",
                metadata, spec);
}

static void check_pod_with(const char *what, const char *metadata, const char *spec) {
  struct buffer pod = {.max = (size_t)64 << 20};
  pod_with(&pod, metadata, spec);
  ck_assert(!pod.failed);
  check_allowed(what, (struct text){pod.data, pod.len});
  buffer_free(&pod);
}

START_TEST(nul_in_keys_and_values) {
  check_pod_with("NUL in an annotation", "\"annotations\":{\"a\\u0000b\":\"c\\u0000d\"},", "");
  check_pod_with("NUL behind a known key", "\"annotations\":{\"rayfix.io/skip\\u0000\":\"true\"},",
                 "");
  check_pod_with("NUL in a volume", "",
                 "\"volumes\":[{\"name\":\"x\\u0000y\",\"emptyDir\":{\"a\\u0000\":{}}}],");
  check_pod_with("NUL in nodeSelector", "", "\"nodeSelector\":{\"\\u0000\":\"\\u0000\"},");
}
END_TEST

// A NUL must not hide the end of a word: "true\0" is not "true".
START_TEST(nul_does_not_opt_out) {
  struct buffer pod = {.max = (size_t)1 << 20};
  pod_with(&pod, "\"annotations\":{\"rayfix.io/skip\":\"true\\u0000\"},", "");
  struct reviewed reviewed = review_object(config, arena, (struct text){pod.data, pod.len});
  ck_assert_ptr_nonnull(reviewed.patch_text.data);
  reviewed_free(&reviewed);
  buffer_free(&pod);
}
END_TEST

START_TEST(large_numbers) {
  check_pod_with("2^63", "\"generation\":9223372036854775808,",
                 "\"terminationGracePeriodSeconds\":9223372036854775808,");
  check_pod_with("-2^64", "", "\"terminationGracePeriodSeconds\":-18446744073709551616,");
  check_pod_with("40 digits", "", "\"priority\":1234567890123456789012345678901234567890,");
  check_pod_with("1e400", "", "\"terminationGracePeriodSeconds\":1e400,");
}
END_TEST

static void repeat(struct buffer *buffer, const char *text, size_t count) {
  for (size_t i = 0; i < count; i++) {
    buffer_append_text(buffer, text_of(text));
  }
}

START_TEST(ten_thousand_levels) {
  struct buffer object = {.max = (size_t)1 << 20};
  buffer_append_text(&object, TEXT("\"annotations\":{\"deep\":"));
  repeat(&object, "[", 10000);
  repeat(&object, "]", 10000);
  buffer_append(&object, "},", 3);
  check_pod_with("lists in metadata", object.data, "");
  buffer_free(&object);
  buffer_append_text(&object, TEXT("\"affinity\":"));
  repeat(&object, "{\"nodeAffinity\":", 10000);
  buffer_append_text(&object, TEXT("{}"));
  repeat(&object, "}", 10000);
  buffer_append(&object, ",", 2);
  check_pod_with("objects in spec", "\"annotations\":{\"rayfix.io/spot\":\"require\"},",
                 object.data);
  buffer_free(&object);
}
END_TEST

static void add_list(struct buffer *spec, const char *name, const char *item, const char *last) {
  buffer_printf(spec, "\"%s\":[", name);
  for (size_t i = 0; i < 9999; i++) {
    buffer_append_text(spec, text_of(item));
    buffer_append_text(spec, TEXT(","));
  }
  buffer_printf(spec, "%s]", last);
}

START_TEST(ten_thousand_containers) {
  static const char container[] =
      "{\"name\":\"wait-gcs-ready\",\"env\":[{\"name\":\"A\",\"value\":\"B\"}],"
      "\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/tmp/ray\"}],"
      "\"resources\":{\"limits\":{\"nvidia.com/gpu\":\"1\",\"memory\":\"32Gi\"}}}";
  struct buffer pod = {.max = (size_t)16 << 20};
  buffer_append_text(&pod, TEXT("{\"metadata\":{\"labels\":{\"ray.io/node-type\":\"worker\"}},"
                                "\"spec\":{"));
  add_list(&pod, "containers", container, container);
  buffer_append_text(&pod, TEXT(","));
  add_list(&pod, "initContainers", container, "{\"name\":\"last\"}");
  buffer_append_text(&pod, TEXT(","));
  add_list(&pod, "volumes", "{\"name\":\"ray-tmp-memory\",\"emptyDir\":{}}",
           "{\"name\":\"v\",\"emptyDir\":{}}");
  buffer_append_text(&pod, TEXT(","));
  add_list(&pod, "tolerations", "{\"key\":\"a\",\"operator\":\"Exists\"}", "{}");
  buffer_append_text(&pod, TEXT("}}"));
  ck_assert(!pod.failed);
  check_allowed("10,000 of everything", (struct text){pod.data, pod.len});
  buffer_free(&pod);
}
END_TEST

START_TEST(ten_thousand_resources) {
  struct buffer spec = {.max = (size_t)16 << 20};
  buffer_append_text(&spec,
                     TEXT("\"initContainers\":[{\"name\":\"a\",\"resources\":{\"limits\":{"));
  for (size_t i = 0; i < 10000; i++) {
    buffer_printf(&spec, "\"nvidia.com/x%zu\":\"1\",", i);
  }
  buffer_append(&spec, "\"cpu\":\"1\"}}}],", 15);
  buffer_append(&spec, "", 1);
  check_pod_with("10,000 resources", "", spec.data);
  buffer_free(&spec);
}
END_TEST

// What the API server escapes to six bytes each in a patch, and what a shell would read.
START_TEST(three_mebibytes_of_less_than) {
  struct buffer metadata = {.max = (size_t)16 << 20};
  buffer_append_text(&metadata, TEXT("\"annotations\":{\"rayfix.io/spot\":\""));
  repeat(&metadata, "<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<", (size_t)3 << 15);
  buffer_append(&metadata, "\"},", 4);
  check_pod_with("3 MiB of <", metadata.data, "");
  buffer_free(&metadata);
}
END_TEST

static void set_up(void) {
  arena = arena_new(ADMISSION_ARENA_FIRST, ADMISSION_ARENA_MAX);
  config = table_config(NULL);
}

static void tear_down(void) {
  admission_config_free(config);
  arena_free(arena);
}

static void add_tests(TCase *tcase) {
  tcase_add_loop_test(tcase, wrong_types_are_the_api_servers_business, 0, (int)bases.gl_pathc);
  tcase_add_test(tcase, missing_members_are_missing);
  tcase_add_test(tcase, nul_in_keys_and_values);
  tcase_add_test(tcase, nul_does_not_opt_out);
  tcase_add_test(tcase, large_numbers);
  tcase_add_test(tcase, ten_thousand_levels);
  tcase_add_test(tcase, ten_thousand_containers);
  tcase_add_test(tcase, ten_thousand_resources);
  tcase_add_test(tcase, three_mebibytes_of_less_than);
  tcase_add_unchecked_fixture(tcase, set_up, tear_down);
}

int main(void) {
  if (glob(SOURCE_DIR "/tests/mutators/bases/*.json", 0, NULL, &bases) != 0) {
    return EXIT_FAILURE;
  }
  int status = run_suite("hostile", add_tests);
  globfree(&bases);
  return status;
}
