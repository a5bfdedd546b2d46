#include "server/readiness.h"

#include <stdatomic.h>
#include <time.h>

static atomic_bool checks[READINESS_COUNT] = {[READINESS_SHUTDOWN] = true};
static atomic_int_fast64_t expiry;

static const char *const names[READINESS_COUNT] = {"certificate", "configuration", "serving",
                                                   "shutdown"};
static const char *const reasons[READINESS_COUNT] = {
    "not loaded", "not loaded", "no TLS handshake with ourselves has succeeded yet",
    "shutting down"};

void readiness_set(enum readiness_check check, bool ok) {
  atomic_store(&checks[check], ok);
}

void readiness_set_expiry(int64_t not_after) {
  atomic_store(&expiry, not_after);
}

static const char *failure_of(enum readiness_check check) {
  if (!atomic_load(&checks[check])) {
    return reasons[check];
  }
  bool expired = check == READINESS_CERTIFICATE && (int64_t)time(NULL) > atomic_load(&expiry);
  return expired ? "expired" : NULL;
}

bool readiness_report(bool verbose, struct buffer *out) {
  const char *failures[READINESS_COUNT];
  bool well = true;
  for (unsigned i = 0; i < READINESS_COUNT; i++) {
    failures[i] = failure_of(i);
    well = well && failures[i] == NULL;
  }
  if (well && !verbose) {
    return buffer_printf(out, "ok");
  }
  for (unsigned i = 0; i < READINESS_COUNT; i++) {
    if (failures[i] == NULL) {
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
