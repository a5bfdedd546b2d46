// Whatever is sent gets a well-formed answer; a patch applies, and there is none for the object
// that it makes. The bytes are tried as a whole review and as the object of one.

#include <stdlib.h>
#include <yyjson.h>

#include "admission/review.h"
#include "admission/rule.h"
#include "tests/fuzz/fuzz.h"

#define BEFORE                                                                \
  "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\","     \
  "\"request\":{\"uid\":\"u\",\"kind\":{\"group\":\"%s\",\"version\":\"v1\"," \
  "\"kind\":\"%s\"},\"resource\":{\"group\":\"%s\",\"version\":\"v1\","       \
  "\"resource\":\"%s\"},\"namespace\":\"default\",\"operation\":\"CREATE\",\"object\":"

static struct arena *arena;
static struct admission_config *usual;
static struct admission_config *strict;

static void set_up(void) {
  struct error error;
  arena = arena_new(ADMISSION_ARENA_FIRST, ADMISSION_ARENA_MAX);
  usual = admission_config_new(&error);
  strict = admission_config_new(&error);
  FUZZ_REQUIRE(arena != NULL && usual != NULL && strict != NULL);
  for (size_t i = 0; i < validator_count; i++) {
    strict->rules.validators[i].action = ACTION_DENY;
    strict->rules.validators[i].pod_action = ACTION_DENY;
  }
  strict->pod_policy = POD_POLICY_HARD;
}

static void check_answer(const struct buffer *out) {
  yyjson_doc *doc = yyjson_read(out->data, out->len, 0);
  yyjson_val *response = yyjson_obj_get(yyjson_doc_get_root(doc), "response");
  FUZZ_REQUIRE(yyjson_is_bool(yyjson_obj_get(response, "allowed")));
  FUZZ_REQUIRE((yyjson_obj_get(response, "patch") == NULL) ==
               (yyjson_obj_get(response, "patchType") == NULL));
  yyjson_doc_free(doc);
}

// The review with its object patched, to be freed.
static char *patched(struct text review, struct text patch, size_t *ret_len) {
  yyjson_read_flag numbers = YYJSON_READ_NUMBER_AS_RAW;
  yyjson_doc *doc = yyjson_read(review.data, review.len, numbers);
  yyjson_doc *operations = yyjson_read(patch.data, patch.len, numbers);
  yyjson_mut_doc *copy = yyjson_doc_mut_copy(doc, NULL);
  yyjson_mut_val *request = yyjson_mut_obj_get(yyjson_mut_doc_get_root(copy), "request");
  yyjson_val *object =
      yyjson_obj_get(yyjson_obj_get(yyjson_doc_get_root(doc), "request"), "object");
  yyjson_patch_err error;
  yyjson_mut_val *made = yyjson_patch(copy, object, yyjson_doc_get_root(operations), &error);
  FUZZ_REQUIRE(made != NULL);
  yyjson_mut_obj_put(request, yyjson_mut_str(copy, "object"), made);
  char *text = yyjson_mut_write(copy, 0, ret_len);
  yyjson_mut_doc_free(copy);
  yyjson_doc_free(operations);
  yyjson_doc_free(doc);
  return text;
}

static void judge(enum admission_phase phase, struct text review, bool again);

static void judge_patched(struct text review, struct text patch) {
  size_t len;
  char *text = patched(review, patch, &len);
  FUZZ_REQUIRE(text != NULL);
  judge(PHASE_MUTATE, (struct text){text, len}, true);
  free(text);
}

static void judge(enum admission_phase phase, struct text review, bool again) {
  struct decision decision;
  buffer_auto out = {.max = (size_t)64 << 20};
  const struct admission_config *config = phase == PHASE_MUTATE ? usual : strict;
  enum admission_status status =
      admission_review(config, phase, arena, review.data, review.len, &out, &decision);
  FUZZ_REQUIRE(status == ADMISSION_ANSWERED || (status == ADMISSION_BAD_REQUEST && !again));
  if (status != ADMISSION_ANSWERED) {
    return;
  }
  check_answer(&out);
  FUZZ_REQUIRE(!again || decision.patch.len == 0);
  if (decision.patch.len > 0) {
    buffer_auto patch = {.max = (size_t)64 << 20};  // the next review takes the arena
    FUZZ_REQUIRE(buffer_append(&patch, decision.patch.data, decision.patch.len));
    judge_patched(review, (struct text){patch.data, patch.len});
  }
}

static void judge_object(const char *group, const char *kind, const char *resource,
                         struct text object) {
  buffer_auto review = {.max = SIZE_MAX / 2};
  buffer_printf(&review, BEFORE, group, kind, group, resource);
  buffer_append(&review, object.data, object.len);
  buffer_append(&review, "}}", 2);
  struct text text = {review.data, review.len};
  judge(group[0] == '\0' ? PHASE_MUTATE : PHASE_VALIDATE, text, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct text text = {(const char *)data, size};
  if (arena == NULL) {
    set_up();
  }
  judge(PHASE_MUTATE, text, false);
  judge(PHASE_VALIDATE, text, false);
  judge_object("", "Pod", "pods", text);
  judge_object("ray.io", "RayCluster", "rayclusters", text);
  judge_object("ray.io", "RayService", "rayservices", text);
  judge_object("policy", "PodDisruptionBudget", "poddisruptionbudgets", text);
  return 0;
}
