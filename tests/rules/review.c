#include "tests/rules/review.h"

#include <check.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "admission/buffer.h"
#include "tests/rules/envelope.h"

#define REQUEST                                                                    \
  "{\"uid\":\"" REVIEW_UID                                                         \
  "\",\"kind\":{\"group\":\"\",\"version\":\"v1\",\"kind\":\"Pod\"},"              \
  "\"resource\":{\"group\":\"\",\"version\":\"v1\",\"resource\":\"pods\"},"        \
  "\"name\":\"\",\"namespace\":\"default\",\"operation\":\"CREATE\",\"userInfo\":" \
  "{\"username\":\"system:serviceaccount:ray-system:kuberay-operator\"},"          \
  "\"oldObject\":null,\"dryRun\":false}"

struct owned_text review_wrap(struct text object, yyjson_val *request) {
  return envelope_wrap(TEXT(REQUEST), request, object, (struct text){NULL, 0});
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
  reviewed->body = envelope_read(owned_view(reviewed->answer), &reviewed->allowed);
  decode_patch(reviewed, json_object_get(reviewed->body, "response"));
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
