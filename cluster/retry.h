#pragma once

#include <stdbool.h>
#include <stdint.h>

// When a call is tried again: pure, so that every case is tested without a server.

// How one attempt ended without success.
struct attempt {
  unsigned number;       // from 1
  bool is_repeatable;    // the call may be done twice
  bool was_sent;         // the request, or a part of it, may have reached the server
  bool was_answered;     // there is an HTTP code
  bool is_hopeless;      // the certificate is not trusted, the answer is too large
  int http_code;         // if answered
  int retry_after;       // seconds; -1: not said
  int64_t remaining_ms;  // of the budget
  uint32_t random;       // any 32 bits, for the jitter
};

// The first wait and the longest one, before jitter of a half up or down.
#define RETRY_FIRST_MS 100
#define RETRY_LAST_MS 5000

// Milliseconds to wait before the next attempt, or -1 when there is none.
int64_t retry_wait(const struct attempt *attempt);

// The wait before attempt `number` + 1: doubles, is bounded by `last_ms`, with jitter.
int64_t retry_backoff(unsigned number, int64_t last_ms, uint32_t random);

// 32 random bits from the system.
uint32_t retry_random(void);
