#include "admission/request.h"

#include "admission/json.h"
#include "admission/uid.h"

#define UNDERSTOOD "rayfix understands kind AdmissionReview of apiVersion admission.k8s.io/v1"

static enum request_status bad(struct text *ret_message, struct text message) {
  *ret_message = message;
  return message.data == NULL ? REQUEST_OUT_OF_MEMORY : REQUEST_BAD;
}

// A member as it should be shown: its text, or what type it is.
static struct text shown(yyjson_val *value) {
  return yyjson_is_str(value) ? json_text(value) : text_of(json_type_name(value));
}

static enum request_status check_version(yyjson_val *review, struct arena *arena,
                                         struct text *ret_message) {
  yyjson_val *kind = yyjson_obj_get(review, "kind");
  yyjson_val *version = yyjson_obj_get(review, "apiVersion");
  if (json_is_string(kind, TEXT("AdmissionReview")) &&
      json_is_string(version, TEXT("admission.k8s.io/v1"))) {
    return REQUEST_OK;
  }
  struct text found_kind = text_cut(shown(kind), 128);
  struct text found_version = text_cut(shown(version), 128);
  return bad(ret_message, arena_printf(arena, "found kind %.*s of apiVersion %.*s; " UNDERSTOOD,
                                       TEXT_ARG(found_kind), TEXT_ARG(found_version)));
}

static struct text object_name(yyjson_val *object, const char *key) {
  return json_get_text(json_get(object, "metadata"), key);
}

static struct text first_of(struct text a, struct text b) {
  return a.len > 0 ? a : b;
}

static void read_request(yyjson_val *request, struct admission_request *read) {
  yyjson_val *kind = json_get(request, "kind");
  yyjson_val *object = json_get(request, "object");
  yyjson_val *old_object = json_get(request, "oldObject");
  yyjson_val *either = object != NULL ? object : old_object;
  read->group = json_get_text(kind, "group");
  read->kind = first_of(json_get_text(kind, "kind"), json_get_text(either, "kind"));
  read->resource = json_get_text(json_get(request, "resource"), "resource");
  read->sub_resource = json_get_text(request, "subResource");
  read->operation = json_get_text(request, "operation");
  read->namespace_name =
      first_of(json_get_text(request, "namespace"), object_name(either, "namespace"));
  read->name = first_of(json_get_text(request, "name"),
                        first_of(object_name(either, "name"), object_name(either, "generateName")));
  read->user = json_get_text(json_get(request, "userInfo"), "username");
  read->dry_run = json_is_true(json_get(request, "dryRun"));
  read->object = object;
  read->old_object = old_object;
}

static enum request_status check_duplicates(yyjson_doc *doc, struct arena *arena,
                                            struct text *ret_message) {
  struct text key;
  int found = json_find_duplicate_key(doc, arena_yyjson(arena), &key);
  if (found < 0) {
    return REQUEST_OUT_OF_MEMORY;
  }
  if (found == 0) {
    return REQUEST_OK;
  }
  key = text_cut(key, 128);
  return bad(ret_message,
             arena_printf(arena, "the request body has the key '%.*s' twice in one object",
                          TEXT_ARG(key)));
}

enum request_status request_decode(const char *body, size_t len, struct arena *arena,
                                   struct admission_request *ret_request,
                                   struct text *ret_message) {
  *ret_request = (struct admission_request){0};
  if (len == 0) {
    return bad(ret_message, TEXT("the request body is empty"));
  }
  yyjson_read_err error;
  // The flag that would let yyjson write into the input is not set, so the cast is safe.
  char *input = (char *)(uintptr_t)body;
  yyjson_doc *doc = yyjson_read_opts(input, len, JSON_READ_FLAGS, arena_yyjson(arena), &error);
  if (doc == NULL && error.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION) {
    return REQUEST_OUT_OF_MEMORY;
  }
  if (doc == NULL) {
    ret_request->uid = uid_recover(body, len);
    return bad(ret_message,
               arena_printf(arena, "the request body is not valid JSON: %s at byte %zu", error.msg,
                            error.pos));
  }
  yyjson_val *review = yyjson_doc_get_root(doc);
  yyjson_val *request = json_get(review, "request");
  ret_request->uid = json_get_text(request, "uid");
  enum request_status status = check_version(review, arena, ret_message);
  if (status == REQUEST_OK) {
    status = check_duplicates(doc, arena, ret_message);
  }
  if (status != REQUEST_OK) {
    return status;
  }
  if (ret_request->uid.len == 0) {
    return bad(ret_message, request == NULL ? TEXT("the AdmissionReview has no request")
                                            : TEXT("the AdmissionReview has no request.uid"));
  }
  read_request(request, ret_request);
  return REQUEST_OK;
}
