#include "cluster/retry.h"

#include <sys/random.h>

#include "cluster/clock.h"

int64_t retry_backoff(unsigned number, int64_t last_ms, uint32_t random) {
  int64_t wait = RETRY_FIRST_MS;
  for (unsigned i = 1; i < number && wait < last_ms; i++) {
    wait *= 2;
  }
  wait = wait > last_ms ? last_ms : wait;
  return wait / 2 + (int64_t)(random % (uint32_t)(wait + 1));
}

// Kubernetes asks for another attempt by a 429 or 5xx with Retry-After: it then has not begun
// (client-go rest/with_retry.go, IsNextRetry and checkWait).
static bool is_asked_for(const struct attempt *attempt) {
  return attempt->was_answered && attempt->retry_after >= 0 &&
         (attempt->http_code == 429 || attempt->http_code >= 500);
}

static bool is_worth_it(const struct attempt *attempt) {
  if (attempt->is_hopeless) {
    return false;
  }
  if (!attempt->was_answered) {
    return !attempt->was_sent || attempt->is_repeatable;
  }
  switch (attempt->http_code) {
    case 429:
      return true;
    case 500:
    case 502:
    case 503:
    case 504:
      return attempt->is_repeatable;
    default:
      return false;
  }
}

int64_t retry_wait(const struct attempt *attempt) {
  int64_t wait = -1;
  if (is_asked_for(attempt)) {
    // A little more than was asked for, so that those that were sent away do not return together.
    wait = (int64_t)attempt->retry_after * 1000 + attempt->random % 100;
  } else if (is_worth_it(attempt)) {
    wait = retry_backoff(attempt->number, RETRY_LAST_MS, attempt->random);
  }
  return wait < attempt->remaining_ms ? wait : -1;
}

uint32_t retry_random(void) {
  uint32_t random = 0;
  if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random) {
    random = (uint32_t)cluster_now_ms() * 2654435761U;  // early at boot: any jitter will do
  }
  return random;
}
