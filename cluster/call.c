#include "cluster/call.h"

#include <stdlib.h>

#include "cluster/calls.h"
#include "cluster/clock.h"
#include "cluster/fault_set.h"
#include "cluster/identity_check.h"
#include "cluster/retry.h"
#include "cluster/status.h"

struct call {
  struct cluster *cluster;
  struct request *request;
  struct buffer *reply;
  int64_t end_ms;
  unsigned attempts;
  unsigned unverified;  // connections that a write met without identity
  bool token_renewed;
  bool is_json;
  bool is_too_large;
};

// An error of a proxy may be long; a Status is short.
#define ERROR_BODY_MAX ((size_t)256 << 10)

static size_t collect(char *bytes, size_t size, size_t count, void *data) {
  struct call *call = data;
  size_t len = size * count;
  call->is_too_large = len > call->reply->max - call->reply->len;
  return buffer_append(call->reply, bytes, len) ? len : CURL_WRITEFUNC_ERROR;
}

static int64_t remaining(const struct call *call) {
  return call->end_ms - cluster_now_ms();
}

// Runs one transfer to its end. -1 when it was cancelled or the budget is used up.
static int run(struct call *call, struct transfer *transfer, struct fault *fault) {
  while (!transfer->done) {
    if (transfer_pump(call->cluster, fault) != 0) {
      return fault_wrap(fault, call->request->what);
    }
    if (!transfer->done) {
      transfer_poll(call->cluster, call->end_ms - cluster_now_ms() + 1);
    }
  }
  return 0;
}

// After a failed attempt: 0 when it is to be made again, after the wait, or -1.
static int wait_or_give_up(struct call *call, const struct transfer *transfer,
                           struct fault *fault) {
  int code = transfer->result == CURLE_OK ? transfer_code(transfer) : 0;
  struct attempt attempt = {
      .number = call->attempts,
      .is_repeatable = call->request->is_repeatable,
      .was_sent = transfer->was_sent,
      .was_answered = code != 0,
      .is_hopeless = transfer->result != CURLE_OK && transfer_is_hopeless(transfer),
      .http_code = code,
      .retry_after = code == 0 ? -1 : transfer_retry_after(transfer),
      .remaining_ms = remaining(call),
      .random = retry_random(),
  };
  int64_t wait = retry_wait(&attempt);
  if (wait < 0) {
    return -1;
  }
  struct fault cancelled;
  if (transfer_sleep(call->cluster, wait, &cancelled) != 0) {
    *fault = cancelled;
    return fault_wrap(fault, call->request->what);
  }
  return 0;
}

// A token that was replaced in the meantime is a reason to try once more.
static bool renew_token(struct call *call) {
  struct material *token = &call->cluster->token;
  if (call->token_renewed || token->path == NULL || token->bytes == NULL) {
    return false;
  }
  call->token_renewed = true;
  buffer_auto old = {.max = MATERIAL_MAX};
  struct error ignored;
  bool kept = buffer_append_text(&old, material_text(token));
  material_forget(token);
  bool changed = kept && material_refresh(token, &ignored) == 0 &&
                 !text_equals(material_text(token), (struct text){old.data, old.len});
  if (old.data != NULL) {
    explicit_bzero(old.data, old.len);
  }
  return changed;
}

enum outcome { OUTCOME_DONE, OUTCOME_FAILED, OUTCOME_AGAIN };

// What the transfer that has ended came to.
static enum outcome judge(struct call *call, const struct transfer *transfer, struct fault *fault) {
  const struct request *request = call->request;
  struct buffer *reply = call->reply;
  int code = transfer_code(transfer);
  if (reply->failed) {
    enum fault_kind kind = call->is_too_large ? FAULT_TOO_LARGE : FAULT_MEMORY;
    fault_set(fault, kind, "%s: the answer is larger than %s", request->what,
              call->is_too_large ? "the limit for answers" : "the memory that is left");
    return OUTCOME_FAILED;
  }
  // An attempt that the end of the budget cut short says less than the one before.
  if (transfer->result == CURLE_OPERATION_TIMEDOUT && call->attempts > 1 &&
      request->timeout_ms < call->cluster->attempt_ms) {
    return OUTCOME_FAILED;
  }
  if (transfer->result != CURLE_OK) {
    transfer_fault(transfer, fault);
    return wait_or_give_up(call, transfer, fault) == 0 ? OUTCOME_AGAIN : OUTCOME_FAILED;
  }
  call->is_json = transfer_is_json(transfer);
  if (code >= 200 && code < 300) {
    return OUTCOME_DONE;
  }
  struct text body = text_cut((struct text){reply->data, reply->len}, ERROR_BODY_MAX);
  status_fault(request->what, code, call->is_json, body, fault);
  if (code == 401 && renew_token(call)) {
    return OUTCOME_AGAIN;
  }
  return wait_or_give_up(call, transfer, fault) == 0 ? OUTCOME_AGAIN : OUTCOME_FAILED;
}

// A write that met a new connection: the identity is read, on a connection that is then kept.
// Where none is ever kept (a proxy that closes each) the third time must do.
static enum outcome verify_again(struct call *call) {
  call->unverified++;
  call->attempts--;
  call->request->any_connection = call->unverified >= 2;
  return OUTCOME_AGAIN;
}

// For a call inside of this one: never 0, which would stand for the default.
static unsigned budget_left(const struct call *call) {
  int64_t left = remaining(call);
  return left < 1 ? 1 : (unsigned)left;
}

static enum outcome attempt(struct call *call, struct fault *fault) {
  struct request *request = call->request;
  call->attempts++;
  call->reply->len = 0;
  call->reply->failed = false;
  if (request->is_write &&
      identity_verify(call->cluster, call->unverified > 0, budget_left(call), fault) != 0) {
    fault_wrap(fault, request->what);
    return OUTCOME_FAILED;
  }
  int64_t left = remaining(call);
  if (left <= 0 && call->attempts > 1) {
    return OUTCOME_FAILED;  // for the reason of the attempt before
  }
  if (left <= 0) {
    fault_set(fault, FAULT_TIMEOUT, "%s: %s: no answer in time", request->what,
              call->cluster->server);
    return OUTCOME_FAILED;
  }
  request->timeout_ms =
      left < call->cluster->attempt_ms ? (unsigned)left : call->cluster->attempt_ms;
  struct transfer transfer;
  if (transfer_begin(&transfer, call->cluster, call->cluster->easy, request, collect, call,
                     fault) != 0) {
    return OUTCOME_FAILED;
  }
  enum outcome outcome = OUTCOME_FAILED;
  if (run(call, &transfer, fault) == 0) {
    outcome = transfer.is_unverified ? verify_again(call) : judge(call, &transfer, fault);
  }
  if (!request->is_write && transfer.was_sent) {
    call->cluster->last = transfer.connection;
  }
  transfer_end(&transfer);
  return outcome;
}

int call_perform(struct cluster *cluster, struct request *request, unsigned budget_ms,
                 struct buffer *reply, bool *ret_is_json, struct fault *fault) {
  struct call call = {
      .cluster = cluster,
      .request = request,
      .reply = reply,
      .end_ms = cluster_now_ms() + (budget_ms == 0 ? CLUSTER_BUDGET_MS : budget_ms),
  };
  enum outcome outcome = OUTCOME_AGAIN;
  while (outcome == OUTCOME_AGAIN) {
    outcome = attempt(&call, fault);
  }
  if (outcome == OUTCOME_FAILED) {
    cluster_redact(cluster, fault->error.text, sizeof fault->error.text);
    return -1;
  }
  if (ret_is_json != NULL) {
    *ret_is_json = call.is_json;
  }
  *fault = (struct fault){.kind = FAULT_NONE};
  return 0;
}

static int parse(const struct request *request, const struct buffer *reply, bool is_json,
                 json_t **ret_object, struct fault *fault) {
  json_error_t why;
  if (!is_json) {
    return fault_set(fault, FAULT_PROTOCOL,
                     "%s: the answer is not application/json: is this a "
                     "Kubernetes API server?",
                     request->what);
  }
  json_t *object = json_loadb(reply->data == NULL ? "" : reply->data, reply->len,
                              JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &why);
  if (object == NULL && json_error_code(&why) == json_error_out_of_memory) {
    return fault_set(fault, FAULT_MEMORY, "%s: out of memory", request->what);
  }
  if (!json_is_object(object)) {
    json_decref(object);
    // jansson's text quotes the input, which may be a secret: only its place is told.
    return fault_set(fault, FAULT_PROTOCOL, "%s: the answer is no JSON object (byte %d of %zu)",
                     request->what, why.position, reply->len);
  }
  *ret_object = object;
  return 0;
}

int call_json(struct cluster *cluster, struct request *request, unsigned budget_ms,
              json_t **ret_object, struct fault *fault) {
  buffer_auto reply = {.max = CLUSTER_REPLY_MAX};
  bool is_json = false;
  json_t *object = NULL;
  int status = call_perform(cluster, request, budget_ms, &reply, &is_json, fault);
  if (status == 0) {
    status = parse(request, &reply, is_json, &object, fault);
  }
  if (reply.data != NULL) {
    explicit_bzero(reply.data, reply.len);  // it may have been a Secret
  }
  if (ret_object != NULL) {
    *ret_object = object;
  } else {
    json_decref(object);
  }
  return status;
}
