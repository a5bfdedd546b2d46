#include "cli/fix.h"

#include <stdlib.h>

#include "admission/json.h"
#include "cli/creation.h"

// The answer to a pod: its patch in base64 and the annotations.
#define ANSWER_MAX ((size_t)256 << 20)

bool fix_is_pod(yyjson_mut_val *object) {
  return text_equals(manifest_text(object, "kind"), TEXT("Pod")) &&
         text_equals(manifest_text(object, "apiVersion"), TEXT("v1"));
}

struct text fix_namespace(const struct fixer *fixer, yyjson_mut_val *pod) {
  return creation_namespace(creation_kind_of(pod), pod, fixer->namespace_name);
}

// RFC 6902 by yyjson, which has no part in how the patch was made.
static enum fix_status apply(yyjson_mut_doc *doc, yyjson_mut_val *pod, struct text patch,
                             yyjson_mut_val **ret_fixed, struct error *error) {
  yyjson_doc *read = yyjson_read(patch.data, patch.len, JSON_READ_FLAGS);
  yyjson_mut_val *operations =
      read == NULL ? NULL : yyjson_val_mut_copy(doc, yyjson_doc_get_root(read));
  yyjson_doc_free(read);
  if (operations == NULL) {
    error_set(error, "out of memory");
    return FIX_FAILED;
  }
  yyjson_patch_err problem = {0};
  *ret_fixed = yyjson_mut_patch(doc, pod, operations, &problem);
  if (*ret_fixed == NULL) {
    error_set(error, "the patch does not apply: operation %zu: %s", problem.idx,
              problem.msg == NULL ? "unknown" : problem.msg);
    return FIX_FAILED;
  }
  return FIX_CHANGED;
}

enum fix_status fix_pod(struct fixer *fixer, yyjson_mut_doc *doc, yyjson_mut_val *pod,
                        yyjson_mut_val **ret_fixed, struct decision *ret_decision,
                        struct error *error) {
  buffer_auto review = {.max = MANIFEST_OUTPUT_MAX};
  buffer_auto answer = {.max = ANSWER_MAX};
  *ret_decision = (struct decision){.allowed = false};
  if (creation_write(creation_kind_of(pod), pod, fix_namespace(fixer, pod), &review) != 0) {
    error_set(error, "out of memory");
    return FIX_FAILED;
  }
  if (review.len > ADMISSION_BODY_MAX) {
    ret_decision->message = TEXT("larger than the API server takes");
    return FIX_DENIED;
  }
  enum admission_status status = admission_review(fixer->config, PHASE_MUTATE, fixer->arena,
                                                  review.data, review.len, &answer, ret_decision);
  if (status == ADMISSION_OUT_OF_MEMORY) {
    error_set(error, "out of memory");
    return FIX_FAILED;
  }
  if (status == ADMISSION_BAD_REQUEST || !ret_decision->allowed) {
    return FIX_DENIED;
  }
  if (ret_decision->patch.len == 0) {
    return FIX_UNCHANGED;
  }
  return apply(doc, pod, ret_decision->patch, ret_fixed, error);
}
