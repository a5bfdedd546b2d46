#include "server/readiness.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static atomic_bool checks[READINESS_COUNT] = {[READINESS_SHUTDOWN] = true};
static atomic_int_fast64_t expiry;

#define REASON_MAX 512

// Reasons that somebody has given; "" where there is none.
static pthread_mutex_t given_lock = PTHREAD_MUTEX_INITIALIZER;
static char given[READINESS_COUNT][REASON_MAX];

static const char *const names[READINESS_COUNT] = {"certificate", "configuration", "serving",
                                                   "shutdown"};
static const char *const reasons[READINESS_COUNT] = {
    "not loaded", "not loaded", "no TLS handshake with ourselves has succeeded yet",
    "shutting down"};

void readiness_set(enum readiness_check check, bool ok) {
  atomic_store(&checks[check], ok);
}

void readiness_fail(enum readiness_check check, const char *reason) {
  pthread_mutex_lock(&given_lock);
  snprintf(given[check], REASON_MAX, "%.*s", TEXT_ARG(text_cut(text_of(reason), REASON_MAX - 1)));
  text_blank_controls(given[check], strlen(given[check]));
  pthread_mutex_unlock(&given_lock);
  atomic_store(&checks[check], false);
}

void readiness_set_expiry(int64_t not_after) {
  atomic_store(&expiry, not_after);
}

// Writes why the check fails; false if it does not.
static bool failure_of(enum readiness_check check, char reason[REASON_MAX]) {
  if (!atomic_load(&checks[check])) {
    pthread_mutex_lock(&given_lock);
    const char *why = given[check][0] == '\0' ? reasons[check] : given[check];
    snprintf(reason, REASON_MAX, "%.*s", REASON_MAX - 1, why);
    pthread_mutex_unlock(&given_lock);
    return true;
  }
  snprintf(reason, REASON_MAX, "expired");
  return check == READINESS_CERTIFICATE && (int64_t)time(NULL) > atomic_load(&expiry);
}

bool readiness_report(bool verbose, struct buffer *out) {
  char failures[READINESS_COUNT][REASON_MAX];
  bool fails[READINESS_COUNT];
  bool well = true;
  for (unsigned i = 0; i < READINESS_COUNT; i++) {
    fails[i] = failure_of(i, failures[i]);
    well = well && !fails[i];
  }
  if (well && !verbose) {
    return buffer_printf(out, "ok");
  }
  for (unsigned i = 0; i < READINESS_COUNT; i++) {
    if (!fails[i]) {
      buffer_printf(out, "[+]%s ok\n", names[i]);
    } else {
      buffer_printf(out, "[-]%s failed: %s\n", names[i], failures[i]);
    }
  }
  buffer_printf(out, "readyz check %s\n", well ? "passed" : "failed");
  return well;
}

void liveness_report(bool verbose, struct buffer *out) {
  buffer_printf(out, verbose ? "[+]ping ok\nlivez check passed\n" : "ok");
}
