#pragma once

#include <stdbool.h>
#include <yyjson.h>

#include "admission/arena.h"
#include "admission/text.h"

// An AdmissionReview request after decoding. Everything is borrowed from the document.
struct admission_request {
  struct text uid;
  struct text group;  // of the object's kind
  struct text kind;
  struct text resource;
  struct text sub_resource;
  struct text operation;
  struct text namespace_name;
  struct text name;  // request.name, else metadata.name, else metadata.generateName
  struct text user;
  bool dry_run;
  yyjson_val *object;
  yyjson_val *old_object;
};

enum request_status {
  REQUEST_OK,
  REQUEST_BAD,  // `ret_message` says where and why; the uid is set if it could be found
  REQUEST_OUT_OF_MEMORY,
};

// Decodes admission.k8s.io/v1 and refuses everything else. Memory comes from `arena`.
enum request_status request_decode(const char *body, size_t len, struct arena *arena,
                                   struct admission_request *ret_request, struct text *ret_message);
