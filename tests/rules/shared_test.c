// The sample pods and the AdmissionReviews recorded from a real API server, where they lie beside
// the source; does nothing elsewhere. What must come out is in the traps of the specification.

#include <check.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/rules/changes.h"
#include "tests/rules/json_patch.h"
#include "tests/rules/review.h"
#include "tests/rules/table.h"
#include "tests/unit/suite.h"

#define SHARED SOURCE_DIR "/../shared"

static struct arena *arena;
static struct admission_config *config;
static glob_t pods;
static glob_t reviews;

static const char istio_proxy[] =
    "[{\"op\":\"add\",\"path\":\"/spec/containers/0\",\"value\":{\"name\":\"istio-proxy\","
    "\"image\":\"istio/proxyv2:1.24.0\",\"args\":[\"proxy\",\"sidecar\"]}}]";

static void check_no_patch(const char *name, struct text object) {
  struct reviewed again = review_object(config, arena, object);
  ck_assert_int_eq(again.status, ADMISSION_ANSWERED);
  ck_assert_msg(again.patch_text.data == NULL, "%s: patched again: %s", name,
                again.patch_text.data);
  reviewed_free(&again);
}

static json_t *parse(struct text text) {
  json_t *value = json_loadb(text.data, text.len, JSON_ALLOW_NUL, NULL);
  ck_assert_ptr_nonnull(value);
  return value;
}

// The pod after its review, and nothing to do in a second round, also after another webhook has
// put a container in front in between.
static struct owned_text check_twice(const char *name, struct text object) {
  struct reviewed first = review_object(config, arena, object);
  ck_assert_int_eq(first.status, ADMISSION_ANSWERED);
  ck_assert_msg(first.allowed, "%s: denied", name);
  struct text patch = first.patch_text.data == NULL ? TEXT("[]") : owned_view(first.patch_text);
  struct owned_text result = values_apply(object, patch);
  json_t *before = parse(object);
  json_t *after = parse(owned_view(result));
  changes_check(before, after, first.patch);
  check_no_patch(name, owned_view(result));
  struct owned_text with_proxy = values_apply(owned_view(result), text_of(istio_proxy));
  check_no_patch(name, owned_view(with_proxy));
  free(with_proxy.data);
  json_decref(after);
  json_decref(before);
  reviewed_free(&first);
  return result;
}

START_TEST(trap_9_sample_pods_are_done_after_one_round) {
  struct owned_text pod = values_read_file(pods.gl_pathv[_i]);
  struct owned_text result = check_twice(pods.gl_pathv[_i], owned_view(pod));
  free(result.data);
  free(pod.data);
}
END_TEST

// The recorded body as the server gets it, and then the pod in it again.
START_TEST(trap_9_recorded_reviews_are_done_after_one_round) {
  const char *name = reviews.gl_pathv[_i];
  struct owned_text body = values_read_file(name);
  struct reviewed recorded = review_run(config, arena, owned_view(body));
  ck_assert_int_eq(recorded.status, ADMISSION_ANSWERED);
  ck_assert_msg(recorded.allowed, "%s: denied", name);
  bool ray_pod =
      strstr(name, "create-pods-head") != NULL || strstr(name, "create-pods-worker") != NULL;
  ck_assert_msg(ray_pod == (recorded.patch_text.data != NULL), "%s: patched or not", name);
  json_t *review = parse(owned_view(body));
  char *object = json_dumps(json_pointer_get(review, "/request/object"), JSON_ENCODE_ANY);
  if (ray_pod) {
    struct owned_text result = check_twice(name, text_of(object));
    free(result.data);
  }
  free(object);
  json_decref(review);
  reviewed_free(&recorded);
  free(body.data);
}
END_TEST

// ---- what must come out ----

struct fact {
  const char *pod;      // beginning of the file name
  const char *pointer;  // into the patched pod
  const char *value;    // JSON that must stand there; NULL: nothing
};

static const struct fact facts[] = {
    // trap 23: 25 % of 32Gi
    {"08", "/spec/volumes/2/emptyDir", "{\"medium\":\"Memory\",\"sizeLimit\":\"8192Mi\"}"},
    {"08", "/spec/containers/0/volumeMounts/2/mountPath", "\"/tmp/ray\""},
    // trap 30: the entry of ExtendedResourceToleration has no effect and counts
    {"08", "/spec/tolerations/0", "{\"key\":\"nvidia.com/gpu\",\"operator\":\"Exists\"}"},
    {"08", "/spec/tolerations/3", NULL},
    {"08", "/spec/dnsConfig/options", "[{\"name\":\"ndots\",\"value\":\"2\"}]"},
    {"08", "/spec/affinity", NULL},
    // trap 27: a head's ray-logs stays on disk
    {"05", "/spec/volumes/2", "{\"name\":\"ray-logs\",\"emptyDir\":{}}"},
    {"05", "/spec/volumes/4", NULL},
    // trap 13: no probe for workers
    {"01", "/spec/containers/0/readinessProbe", NULL},
    // trap 16, 20: the default grace period becomes 60
    {"01", "/spec/terminationGracePeriodSeconds", "60"},
    {"11", "/spec/terminationGracePeriodSeconds", "60"},
    // trap 7: the order of init containers
    {"13", "/spec/initContainers/0/name", "\"wait-for-tls-ip-san\""},
    {"13", "/spec/initContainers/1/name", "\"wait-gcs-ready\""},
    {"13", "/spec/initContainers/2", NULL},
    // trap 6: the user's wait-gcs-ready is left, KubeRay's is gone
    {"18", "/spec/initContainers/0/command/0", "\"/bin/sh\""},
    {"18", "/spec/initContainers/1", NULL},
    // trap 26, 30: the user's tmpfs and toleration
    {"18", "/spec/volumes/0", "{\"name\":\"ray-tmp\",\"emptyDir\":{\"medium\":\"Memory\"}}"},
    {"18", "/spec/tolerations/3", NULL},
    // trap 34: not a Ray pod
    {"22", "/metadata/annotations", NULL},
    {"22", "/spec/dnsConfig", NULL},
};

START_TEST(sample_pods_come_out_as_specified) {
  const struct fact *fact = &facts[_i];
  for (size_t i = 0; i < pods.gl_pathc; i++) {
    const char *file = strrchr(pods.gl_pathv[i], '/') + 1;
    if (strncmp(file, fact->pod, strlen(fact->pod)) != 0) {
      continue;
    }
    struct owned_text pod = values_read_file(pods.gl_pathv[i]);
    struct owned_text result = check_twice(file, owned_view(pod));
    json_t *after = parse(owned_view(result));
    json_t *found = json_pointer_get(after, fact->pointer);
    char *text = found == NULL ? NULL : json_dumps(found, JSON_COMPACT | JSON_ENCODE_ANY);
    if (fact->value == NULL) {
      ck_assert_msg(text == NULL, "%s: %s is %s, wanted nothing", file, fact->pointer, text);
    } else {
      ck_assert_msg(text != NULL && strcmp(text, fact->value) == 0, "%s: %s is %s, wanted %s", file,
                    fact->pointer, text == NULL ? "nothing" : text, fact->value);
    }
    free(text);
    json_decref(after);
    free(result.data);
    free(pod.data);
  }
}
END_TEST

// trap 15: KubeRay's probes come out as they went in.
START_TEST(trap_15_probes_of_sample_pods_stay) {
  for (size_t i = 0; i < pods.gl_pathc; i++) {
    struct owned_text pod = values_read_file(pods.gl_pathv[i]);
    struct owned_text result = check_twice(pods.gl_pathv[i], owned_view(pod));
    json_t *before = parse(owned_view(pod));
    json_t *after = parse(owned_view(result));
    json_t *probe = json_pointer_get(before, "/spec/containers/0/readinessProbe");
    json_t *left = json_pointer_get(after, "/spec/containers/0/readinessProbe");
    ck_assert_msg(probe == left || json_equal(probe, left), "%s", pods.gl_pathv[i]);
    json_decref(after);
    json_decref(before);
    free(result.data);
    free(pod.data);
  }
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
  tcase_add_loop_test(tcase, trap_9_sample_pods_are_done_after_one_round, 0, (int)pods.gl_pathc);
  tcase_add_loop_test(tcase, trap_9_recorded_reviews_are_done_after_one_round, 0,
                      (int)reviews.gl_pathc);
  tcase_add_loop_test(tcase, sample_pods_come_out_as_specified, 0,
                      (int)(sizeof facts / sizeof facts[0]));
  tcase_add_test(tcase, trap_15_probes_of_sample_pods_stay);
  tcase_add_unchecked_fixture(tcase, set_up, tear_down);
}

int main(void) {
  glob(SHARED "/pods/*.json", 0, NULL, &pods);
  glob(SHARED "/reviews/*.json", 0, NULL, &reviews);
  int status = run_suite("shared", add_tests);
  globfree(&reviews);
  globfree(&pods);
  return status;
}
