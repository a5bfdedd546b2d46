#pragma once

#include <stdint.h>
#include <time.h>

// Time that only goes forward, in milliseconds: budgets and waits of calls.
static inline int64_t cluster_now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
