#include "tests/rules/review.h"

#include <check.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "admission/buffer.h"

#define REQUEST                                                                    \
  "{\"uid\":\"" REVIEW_UID                                                         \
  "\",\"kind\":{\"group\":\"\",\"version\":\"v1\",\"kind\":\"Pod\"},"              \
  "\"resource\":{\"group\":\"\",\"version\":\"v1\",\"resource\":\"pods\"},"        \
  "\"name\":\"\",\"namespace\":\"default\",\"operation\":\"CREATE\",\"userInfo\":" \
  "{\"username\":\"system:serviceaccount:ray-system:kuberay-operator\"},"          \
  "\"oldObject\":null,\"dryRun\":false}"

struct owned_text review_wrap(struct text object, yyjson_val *request) {
  yyjson_doc *base = values_parse(TEXT(REQUEST), "request");
  struct owned_text head = values_change(yyjson_doc_get_root(base), request, NULL, "request");
  struct buffer out = {.max = SIZE_MAX / 2};
  buffer_append_text(&out,
                     TEXT("{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\","
                          "\"request\":"));
  buffer_append(&out, head.data, head.len - 1);
  buffer_append_text(&out, TEXT(",\"object\":"));
  buffer_append_text(&out, object);
  buffer_append(&out, "}}", 3);  // with the NUL
  ck_assert(!out.failed);
  free(head.data);
  yyjson_doc_free(base);
  return (struct owned_text){out.data, out.len - 1};
}

static void decode_patch(struct reviewed *reviewed, const json_t *response) {
  const char *encoded = json_string_value(json_object_get(response, "patch"));
  const char *type = json_string_value(json_object_get(response, "patchType"));
  ck_assert_msg((encoded == NULL) == (type == NULL), "patch without patchType or the reverse");
  if (encoded == NULL) {
    reviewed->patch = json_array();
    return;
  }
  ck_assert_str_eq(type, "JSONPatch");
  size_t len = strlen(encoded);
  ck_assert_uint_eq(len % 4, 0);
  unsigned char *decoded = malloc(len + 4);
  ck_assert_ptr_nonnull(decoded);
  int count = EVP_DecodeBlock(decoded, (const unsigned char *)encoded, (int)len);
  ck_assert_msg(count >= 0, "the patch is not base64");
  size_t padding = len - strcspn(encoded, "=");
  size_t size = (size_t)count - padding;
  decoded[size] = '\0';
  reviewed->patch_text = (struct owned_text){(char *)decoded, size};
  json_error_t error;
  reviewed->patch = json_loadb((const char *)decoded, size, JSON_ALLOW_NUL, &error);
  ck_assert_msg(reviewed->patch != NULL, "the patch is not JSON: %s", error.text);
  ck_assert_msg(json_array_size(reviewed->patch) > 0, "the patch is empty, but it is there");
}

static void read_answer(struct reviewed *reviewed) {
  json_error_t error;
  reviewed->body =
      json_loadb(reviewed->answer.data, reviewed->answer.len, JSON_REJECT_DUPLICATES, &error);
  ck_assert_msg(reviewed->body != NULL, "the answer is not JSON: %s", error.text);
  json_t *response = json_object_get(reviewed->body, "response");
  const char *version = json_string_value(json_object_get(reviewed->body, "apiVersion"));
  const char *kind = json_string_value(json_object_get(reviewed->body, "kind"));
  ck_assert_str_eq(version, "admission.k8s.io/v1");
  ck_assert_str_eq(kind, "AdmissionReview");
  ck_assert(json_is_boolean(json_object_get(response, "allowed")));
  reviewed->allowed = json_is_true(json_object_get(response, "allowed"));
  decode_patch(reviewed, response);
}

static void read_notes(struct reviewed *reviewed, const struct decision *decision) {
  size_t len = 0;
  for (size_t i = 0; i < decision->report_count; i++) {
    struct text note = decision->reports[i].note;
    if (note.len > 0 && len + note.len + 2 < sizeof reviewed->notes) {
      memcpy(reviewed->notes + len, note.data, note.len);
      len += note.len;
      reviewed->notes[len++] = '\n';
    }
  }
  reviewed->notes[len] = '\0';
}

struct reviewed review_run(const struct admission_config *config, struct arena *arena,
                           struct text body) {
  struct buffer out = {.max = (size_t)64 << 20};
  struct decision decision;
  struct reviewed reviewed = {0};
  reviewed.status =
      admission_review(config, PHASE_MUTATE, arena, body.data, body.len, &out, &decision);
  reviewed.answer = (struct owned_text){out.data, out.len};
  if (reviewed.status == ADMISSION_ANSWERED) {
    read_answer(&reviewed);
    read_notes(&reviewed, &decision);
    const char *uid =
        json_string_value(json_object_get(json_object_get(reviewed.body, "response"), "uid"));
    ck_assert_msg(uid != NULL && decision.uid.len == strlen(uid) &&
                      memcmp(decision.uid.data, uid, decision.uid.len) == 0,
                  "the uid of the answer is not the request's");
  }
  return reviewed;
}

struct reviewed review_object(const struct admission_config *config, struct arena *arena,
                              struct text object) {
  struct owned_text body = review_wrap(object, NULL);
  struct reviewed reviewed = review_run(config, arena, owned_view(body));
  free(body.data);
  return reviewed;
}

void reviewed_free(struct reviewed *reviewed) {
  free(reviewed->answer.data);
  free(reviewed->patch_text.data);
  json_decref(reviewed->body);
  json_decref(reviewed->patch);
  *reviewed = (struct reviewed){0};
}
