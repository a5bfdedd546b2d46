#pragma once

#include <stdint.h>
#include <time.h>

// Time that only goes forward, for deadlines and durations.
static inline int64_t clock_nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int64_t clock_milliseconds(void) {
  return clock_nanoseconds() / 1000000;
}
