#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "admission/buffer.h"

// What /readyz and /livez say. Written by the main thread and the one of certificates, read by all
// threads that serve.

enum readiness_check {
  READINESS_CERTIFICATE,    // loaded, and not expired
  READINESS_CONFIGURATION,  // loaded
  READINESS_SERVING,        // a TLS handshake with ourselves on the real port has succeeded
  READINESS_SHUTDOWN,       // not shutting down
  READINESS_COUNT,
};

void readiness_set(enum readiness_check check, bool ok);

// The check fails, for this reason (copied, cut to 511 bytes).
void readiness_fail(enum readiness_check check, const char *reason);

// Seconds since the epoch; the certificate check fails from then on.
void readiness_set_expiry(int64_t not_after);

// Writes the report in the format of the API server's /readyz?verbose, one "[+]name ok" or
// "[-]name failed: reason" a line, and returns whether all is well. Without `verbose` a good
// report is only "ok".
bool readiness_report(bool verbose, struct buffer *out);

// The same for /livez, which is well as long as it is answered.
void liveness_report(bool verbose, struct buffer *out);
