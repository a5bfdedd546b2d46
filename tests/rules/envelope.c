#include "tests/rules/envelope.h"

#include <check.h>
#include <stdlib.h>

#include "admission/buffer.h"

struct owned_text envelope_wrap(struct text request, yyjson_val *changes, struct text object,
                                struct text old_object) {
  yyjson_doc *doc = values_parse(request, "request");
  struct owned_text own = values_change(yyjson_doc_get_root(doc), changes, NULL, "request");
  struct buffer out = {.max = SIZE_MAX / 2};
  buffer_append_text(&out,
                     TEXT("{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\","
                          "\"request\":"));
  buffer_append(&out, own.data, own.len - 1);
  buffer_append_text(&out, TEXT(",\"object\":"));
  buffer_append_text(&out, object);
  if (old_object.data != NULL) {
    buffer_append_text(&out, TEXT(",\"oldObject\":"));
    buffer_append_text(&out, old_object);
  }
  buffer_append(&out, "}}", 3);  // with the NUL
  ck_assert(!out.failed);
  free(own.data);
  yyjson_doc_free(doc);
  return (struct owned_text){out.data, out.len - 1};
}

json_t *envelope_read(struct text answer, bool *ret_allowed) {
  json_error_t error;
  json_t *body = json_loadb(answer.data, answer.len, JSON_REJECT_DUPLICATES, &error);
  ck_assert_msg(body != NULL, "the answer is not JSON: %s\n%.*s", error.text, TEXT_ARG(answer));
  ck_assert_str_eq(json_string_value(json_object_get(body, "apiVersion")), "admission.k8s.io/v1");
  ck_assert_str_eq(json_string_value(json_object_get(body, "kind")), "AdmissionReview");
  json_t *allowed = json_object_get(json_object_get(body, "response"), "allowed");
  ck_assert(json_is_boolean(allowed));
  *ret_allowed = json_is_true(allowed);
  return body;
}
