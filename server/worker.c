#include "server/worker.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "admission/review.h"

struct worker {
  struct worker *next;
  struct arena *arena;
  _Atomic(const struct configuration *) reading;
};

static _Atomic(struct worker *) workers;
static _Atomic(struct configuration *) current;
static _Thread_local struct worker *self;

struct worker *worker_self(void) {
  if (self != NULL) {
    return self;
  }
  struct worker *worker = calloc(1, sizeof *worker);
  struct arena *arena = arena_new(ADMISSION_ARENA_FIRST, ADMISSION_ARENA_MAX);
  if (worker == NULL || arena == NULL) {
    arena_free(arena);
    free(worker);
    return NULL;
  }
  worker->arena = arena;
  worker->next = atomic_load(&workers);
  while (!atomic_compare_exchange_weak(&workers, &worker->next, worker)) {
  }
  self = worker;
  return worker;
}

struct arena *worker_arena(struct worker *worker) {
  return worker->arena;
}

const struct configuration *worker_acquire(struct worker *worker) {
  const struct configuration *seen;
  do {
    seen = atomic_load(&current);
    atomic_store(&worker->reading, seen);
    // If it is still in force now, whoever replaces it later sees our note.
  } while (seen != atomic_load(&current));
  return seen;
}

void worker_release(struct worker *worker) {
  atomic_store_explicit(&worker->reading, NULL, memory_order_release);
}

static bool is_read(const struct configuration *configuration) {
  for (struct worker *worker = atomic_load(&workers); worker != NULL; worker = worker->next) {
    if (atomic_load(&worker->reading) == configuration) {
      return true;
    }
  }
  return false;
}

void worker_publish(struct configuration *configuration) {
  struct configuration *old = atomic_exchange(&current, configuration);
  while (old != NULL && is_read(old)) {
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  configuration_free(old);
}

const struct configuration *worker_published(void) {
  return atomic_load(&current);
}

void worker_free_all(void) {
  struct worker *worker = atomic_exchange(&workers, NULL);
  while (worker != NULL) {
    struct worker *next = worker->next;
    arena_free(worker->arena);
    free(worker);
    worker = next;
  }
}
