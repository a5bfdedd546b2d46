#include "server/certificates_report.h"

#include "cluster/certificate_store.h"
#include "server/clock.h"
#include "server/log.h"
#include "server/metrics.h"

// A change of the CA makes three Events; more than these are lost until the next minutes.
#define EVENTS_MAX 12U
#define EVENT_MILLISECONDS 10000

#define EVENT_BUDGET_MILLISECONDS 2000U

static const char *const subjects[REPORT_COUNT] = {
    [REPORT_API] = "API server",
    [REPORT_IDENTITY] = "identity of the cluster",
    [REPORT_SECRET] = "certificate Secret",
    [REPORT_MUTATING] = "caBundle of mutating webhooks",
    [REPORT_VALIDATING] = "caBundle of validating webhooks",
    [REPORT_WATCH_SECRET] = "watching the Secret",
    [REPORT_WATCH_MUTATING] = "watching mutating webhooks",
    [REPORT_WATCH_VALIDATING] = "watching validating webhooks",
    [REPORT_EVENTS] = "Events",
    [REPORT_LEAF] = "certificate",
};

static uint64_t hash(const char *text) {
  uint64_t hash = 14695981039346656037ULL;  // FNV-1a
  for (; *text != '\0'; text++) {
    hash = (hash ^ (unsigned char)*text) * 1099511628211ULL;
  }
  return hash | 1;
}

static bool tell(struct report *report, enum report_subject subject, uint64_t problem,
                 const char *text) {
  if (report->last[subject] == problem) {
    return false;
  }
  report->last[subject] = problem;
  log_fields(LOG_LEVEL_WARN, "certificates: a problem",
             (struct log_field[]){log_text("subject", text_of(subjects[subject])),
                                  log_text("reason", text_of(text))},
             2);
  return true;
}

void report_fault(struct report *report, enum report_subject subject, const char *what,
                  const struct fault *fault) {
  if (fault->kind == FAULT_CANCELLED) {
    return;
  }
  metrics_api_error((unsigned)fault->kind, fault_name(fault->kind));
  struct error error;
  error_set(&error, "%s: %s", what, fault->error.text);
  // Texts hold times and addresses; the kind says whether it is something new.
  tell(report, subject, hash(what) ^ ((uint64_t)fault->kind << 32), error.text);
}

bool report_problem(struct report *report, enum report_subject subject, const char *text) {
  return tell(report, subject, hash(text), text);
}

void report_solved(struct report *report, enum report_subject subject) {
  if (report->last[subject] != 0) {
    report->last[subject] = 0;
    log_fields(LOG_LEVEL_INFO, "certificates: a problem is over",
               (struct log_field[]){log_text("subject", text_of(subjects[subject]))}, 1);
  }
}

static bool may_write(struct report *report) {
  int64_t now = clock_milliseconds();
  if (report->events_refilled == 0) {
    report->events_refilled = now;
    report->events_left = EVENTS_MAX;
  }
  int64_t more = (now - report->events_refilled) / EVENT_MILLISECONDS;
  if (more > 0) {
    report->events_refilled += more * EVENT_MILLISECONDS;
    int64_t left = (int64_t)report->events_left + more;
    report->events_left = left > (int64_t)EVENTS_MAX ? EVENTS_MAX : (unsigned)left;
  }
  if (report->events_left == 0) {
    return false;
  }
  report->events_left--;
  return true;
}

void report_event(struct report *report, const struct report_place *place, const char *reason,
                  const char *message, bool warning) {
  if (!may_write(report)) {
    return;
  }
  const struct store_event event = {.namespace_ = place->namespace_,
                                    .secret = place->secret,
                                    .reason = reason,
                                    .message = message,
                                    .warning = warning};
  struct fault fault = {.kind = FAULT_NONE};
  if (store_event_write(place->cluster, &event, EVENT_BUDGET_MILLISECONDS, &fault) != 0) {
    report_fault(report, REPORT_EVENTS, reason, &fault);
  } else {
    report_solved(report, REPORT_EVENTS);
  }
}
