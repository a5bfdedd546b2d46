#include "admission/review.h"

#include "admission/answer.h"
#include "admission/mutate.h"
#include "admission/request.h"
#include "admission/uid.h"
#include "admission/validate.h"

const char *const rule_result_names[RULE_RESULT_COUNT] = {
    "not_applicable", "applied", "audited", "skipped", "off", "warned", "denied"};

static enum admission_status refuse(struct text uid, int code, const char *reason,
                                    struct text message, struct buffer *out) {
  if (uid.len == 0) {
    int failed = answer_write_status(code, reason, message, out);
    return failed ? ADMISSION_OUT_OF_MEMORY : ADMISSION_BAD_REQUEST;
  }
  struct answer answer = {.uid = uid, .code = code, .reason = reason, .message = message};
  return answer_write(&answer, NULL, out) != 0 ? ADMISSION_OUT_OF_MEMORY : ADMISSION_ANSWERED;
}

static void describe(const struct admission_request *request, struct decision *decision) {
  decision->uid = request->uid;
  decision->kind = request->kind;
  decision->operation = request->operation;
  decision->namespace_name = request->namespace_name;
  decision->name = request->name;
  decision->user = request->user;
  decision->dry_run = request->dry_run;
}

static bool is_exempt(const struct admission_config *config,
                      const struct admission_request *request, struct decision *decision) {
  if (text_list_matches(&config->exempt_namespaces, request->namespace_name)) {
    decision->reason = TEXT("exempt namespace");
    return true;
  }
  if (text_list_matches(&config->exempt_users, request->user)) {
    decision->reason = TEXT("exempt user");
    return true;
  }
  return false;
}

// Fills the answer. Returns 0, or -1 when memory is short.
static int judge(const struct admission_config *config, enum admission_phase phase,
                 const struct admission_request *request, struct arena *arena,
                 struct answer *answer, struct decision *decision) {
  if (is_exempt(config, request, decision)) {
    answer_audit(answer, "exempt", decision->reason);
    return 0;
  }
  if (phase == PHASE_MUTATE) {
    return mutate_request(config, request, arena, answer, decision);
  }
  return validate_request(config, request, arena, answer, decision);
}

// An object that does not fit into what one review may take will not fit the next time either: a
// 503 would be repeated until the API server gives up, which is an allow under failurePolicy
// Ignore.
static enum admission_status out_of_memory(const struct arena *arena, const char *in, size_t len,
                                           struct buffer *out, struct decision *decision) {
  if (!arena_limit_reached(arena)) {
    return ADMISSION_OUT_OF_MEMORY;
  }
  decision->code = 413;
  decision->message = TEXT("the request needs more memory than one review may take");
  return refuse(uid_recover(in, len), 413, "RequestEntityTooLarge", decision->message, out);
}

enum admission_status admission_review(const struct admission_config *config,
                                       enum admission_phase phase, struct arena *arena,
                                       const char *in, size_t len, struct buffer *out,
                                       struct decision *ret_decision) {
  arena_reset(arena);
  *ret_decision = (struct decision){.code = 200};
  struct admission_request request;
  struct text message = {NULL, 0};
  enum request_status status = request_decode(in, len, arena, &request, &message);
  if (status == REQUEST_OUT_OF_MEMORY) {
    return out_of_memory(arena, in, len, out, ret_decision);
  }
  describe(&request, ret_decision);
  if (status == REQUEST_BAD) {
    ret_decision->code = 400;
    ret_decision->message = message;
    return refuse(request.uid, 400, "BadRequest", message, out);
  }
  struct answer answer = {.uid = request.uid, .allowed = true};
  if (judge(config, phase, &request, arena, &answer, ret_decision) != 0) {
    return out_of_memory(arena, in, len, out, ret_decision);
  }
  if (answer_write(&answer, arena, out) != 0) {
    return ADMISSION_OUT_OF_MEMORY;
  }
  ret_decision->allowed = answer.allowed;
  ret_decision->code = answer.allowed ? 200 : answer.code;
  ret_decision->message = answer.message;
  return ADMISSION_ANSWERED;
}

enum admission_status admission_refuse_oversize(const char *head, size_t len, struct buffer *out) {
  struct text message = TEXT("the request body is larger than the server accepts (limits.body)");
  return refuse(uid_recover(head, len), 413, "RequestEntityTooLarge", message, out);
}
