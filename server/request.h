#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admission/buffer.h"
#include "server/metrics.h"

// One request from its headers to its answer: where its body is collected, and how it is judged.
// It belongs to a connection, which has one at a time, so a request costs no allocation of its own.

// Why a request is not judged. The body is read to its end all the same: a client that is still
// writing would not see an answer before the connection breaks.
enum refusal {
  REFUSAL_NONE,
  REFUSAL_NOT_FOUND,
  REFUSAL_METHOD,
  REFUSAL_MEDIA_TYPE,
  REFUSAL_CLIENT,           // no valid client certificate
  REFUSAL_BYTES_IN_FLIGHT,  // the budget of all bodies is used up
  REFUSAL_OUT_OF_MEMORY,
  REFUSAL_LATE,  // came after the server stopped accepting (protocol §6)
};

struct request {
  enum metrics_path path;
  enum refusal refusal;
  bool too_large;   // over limits.body; `body` holds its beginning
  bool active;      // begun and not yet ended
  int64_t started;  // clock_nanoseconds() when the headers were read
  size_t received;  // bytes of the body, kept or not
  size_t charged;   // bytes of the budget that it holds
  struct buffer body;
};

// Limits for all requests; before the first one.
void request_limits(size_t body, size_t bytes_in_flight);

// Begins a request. `content_length` is a hint, 0 if unknown.
void request_begin(struct request *request, enum metrics_path path, enum refusal refusal,
                   size_t content_length);

void request_receive(struct request *request, const char *bytes, size_t len);

// What to answer with. `out` is the body; empty when `refusal` says it all.
struct verdict {
  unsigned status;
  enum refusal refusal;
  struct buffer out;
};

// Judges the request, whose body is complete, and gives the body's memory back. Writes the log line
// and counts. The caller owns verdict.out.
struct verdict request_judge(struct request *request);

// Gives back what the request holds. Does nothing if it has ended.
void request_end(struct request *request);
