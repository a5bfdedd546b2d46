#include "server/request.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "admission/review.h"
#include "server/clock.h"
#include "server/decision_log.h"
#include "server/log.h"
#include "server/worker.h"

// The uid stands within the first few hundred bytes of what the API server sends (protocol §2).
#define HEAD_MAX ((size_t)4096)

// Room for a body is made at once up to here, whatever length the client announces; beyond, as
// bytes arrive, so that announcing costs nothing.
#define FIRST_CAPACITY_MAX ((size_t)1 << 20)

// The largest answer. A patch is small; this only bounds what a mistake could cost.
#define ANSWER_MAX ((size_t)64 << 20)

static size_t body_max = ADMISSION_BODY_MAX;
static size_t budget = SIZE_MAX;
static atomic_size_t in_flight;

void request_limits(size_t body, size_t bytes_in_flight) {
  body_max = body;
  budget = bytes_in_flight;
}

static bool charge(struct request *request, size_t bytes) {
  size_t now = atomic_fetch_add_explicit(&in_flight, bytes, memory_order_relaxed) + bytes;
  request->charged += bytes;
  metrics_bytes_in_flight_set(now);
  return now <= budget;
}

static void discharge(struct request *request, size_t bytes) {
  size_t before = atomic_fetch_sub_explicit(&in_flight, bytes, memory_order_relaxed);
  request->charged -= bytes;
  metrics_bytes_in_flight_set(before - bytes);
}

static void drop_body(struct request *request) {
  buffer_free(&request->body);
  discharge(request, request->charged);
}

// Keeps only the beginning, in which the uid is.
static void keep_head(struct request *request) {
  request->too_large = true;
  struct buffer head = {.max = HEAD_MAX};
  size_t len = request->body.len < HEAD_MAX ? request->body.len : HEAD_MAX;
  bool kept = buffer_append(&head, request->body.data, len);
  drop_body(request);
  request->body = head;
  if (!kept || !charge(request, len)) {
    request->refusal = REFUSAL_OUT_OF_MEMORY;
  }
}

void request_begin(struct request *request, enum metrics_path path, enum refusal refusal,
                   size_t content_length) {
  *request = (struct request){.path = path,
                              .refusal = refusal,
                              .active = true,
                              .started = clock_nanoseconds(),
                              .body = {.max = body_max}};
  metrics_requests_in_flight(1);
  if (refusal != REFUSAL_NONE) {
    return;
  }
  if (content_length > body_max) {
    keep_head(request);
    return;
  }
  // Exactly as much as is to come: with a thousand requests at once, rounding up is megabytes.
  size_t capacity = content_length < FIRST_CAPACITY_MAX ? content_length : FIRST_CAPACITY_MAX;
  if (capacity == 0) {
    return;
  }
  request->body.data = malloc(capacity);
  request->body.capacity = capacity;
  if (request->body.data == NULL) {
    request->body.capacity = 0;
    request->refusal = REFUSAL_OUT_OF_MEMORY;
  }
}

static void receive_head(struct request *request, const char *bytes, size_t len) {
  size_t room = HEAD_MAX - request->body.len;
  size_t kept = len < room ? len : room;
  charge(request, kept);
  if (!buffer_append(&request->body, bytes, kept)) {
    request->refusal = REFUSAL_OUT_OF_MEMORY;
    drop_body(request);
  }
}

void request_receive(struct request *request, const char *bytes, size_t len) {
  request->received += len;
  if (request->refusal != REFUSAL_NONE) {
    return;
  }
  if (!request->too_large && len > body_max - request->body.len) {
    keep_head(request);
  }
  if (request->too_large) {
    receive_head(request, bytes, len);
    return;
  }
  if (!charge(request, len)) {
    request->refusal = REFUSAL_BYTES_IN_FLIGHT;
  } else if (!buffer_append(&request->body, bytes, len)) {
    request->refusal = REFUSAL_OUT_OF_MEMORY;
  }
  if (request->refusal != REFUSAL_NONE) {
    drop_body(request);
  }
}

static enum admission_status judge_head(const struct request *request, struct buffer *out) {
  log_fields(LOG_LEVEL_WARN, "request body over limits.body",
             (struct log_field[]){log_number("bytes", (int64_t)request->received)}, 1);
  return admission_refuse_oversize(request->body.data, request->body.len, out);
}

static enum admission_status judge_body(const struct request *request, struct buffer *out) {
  struct worker *worker = worker_self();
  if (worker == NULL) {
    return ADMISSION_OUT_OF_MEMORY;
  }
  const struct configuration *configuration = worker_acquire(worker);
  struct decision decision = {0};
  int64_t start = clock_nanoseconds();
  enum admission_status status = admission_review(
      configuration->admission, request->path == METRICS_VALIDATE ? PHASE_VALIDATE : PHASE_MUTATE,
      worker_arena(worker), request->body.data, request->body.len, out, &decision);
  int64_t duration = clock_nanoseconds() - start;
  if (status == ADMISSION_ANSWERED && !out->failed) {
    metrics_decision(request->path, &decision, duration);
    decision_log(&decision, request->path == METRICS_VALIDATE ? "validate" : "mutate",
                 duration / 1000);
  }
  worker_release(worker);
  arena_reset(worker_arena(worker));  // a large review must not hold its memory until the next
  return status;
}

static struct verdict refuse(enum refusal refusal) {
  return (struct verdict){.refusal = refusal};
}

struct verdict request_judge(struct request *request) {
  metrics_bytes_received(request->received);
  if (request->refusal != REFUSAL_NONE) {
    return refuse(request->refusal);
  }
  struct verdict verdict = {.status = 200, .out = {.max = ANSWER_MAX}};
  enum admission_status status =
      request->too_large ? judge_head(request, &verdict.out) : judge_body(request, &verdict.out);
  drop_body(request);
  if (status == ADMISSION_OUT_OF_MEMORY || verdict.out.failed) {
    buffer_free(&verdict.out);
    log_message(LOG_LEVEL_ERROR, "out of memory in a request of %zu bytes", request->received);
    return refuse(REFUSAL_OUT_OF_MEMORY);
  }
  if (status == ADMISSION_BAD_REQUEST) {
    verdict.status = request->too_large ? 413 : 400;
    log_fields(LOG_LEVEL_WARN, "request is no AdmissionReview",
               (struct log_field[]){log_number("bytes", (int64_t)request->received)}, 1);
  }
  return verdict;
}

void request_end(struct request *request) {
  if (request->active) {
    drop_body(request);
    request->active = false;
    metrics_requests_in_flight(-1);
  }
}
