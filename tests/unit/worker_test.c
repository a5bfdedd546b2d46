#include "server/worker.h"

#include <pthread.h>
#include <stdatomic.h>

#include "tests/unit/suite.h"

#define READERS 3
#define SWAPS 200

static atomic_bool stop;
static atomic_size_t reads;

static struct configuration *some_configuration(void) {
  struct buffer mistakes = {.max = 4096};
  bool unreadable;
  struct configuration *configuration = configuration_load(NULL, &mistakes, &unreadable);
  ck_assert_ptr_nonnull(configuration);
  return configuration;
}

static void *read_on(void *unused) {
  struct worker *worker = worker_self();
  while (!atomic_load(&stop)) {
    const struct configuration *configuration = worker_acquire(worker);
    // Freed under our feet, this would be seen by the sanitizers.
    if (configuration->settings.limits.connections > 0) {
      atomic_fetch_add(&reads, 1);
    }
    worker_release(worker);
  }
  return unused;
}

START_TEST(a_configuration_lives_while_it_is_read) {
  worker_publish(some_configuration());
  pthread_t readers[READERS];
  for (size_t i = 0; i < READERS; i++) {
    ck_assert_int_eq(pthread_create(&readers[i], NULL, read_on, NULL), 0);
  }
  for (size_t i = 0; i < SWAPS; i++) {
    struct configuration *next = some_configuration();
    worker_publish(next);
    ck_assert_ptr_eq(worker_published(), next);
  }
  while (atomic_load(&reads) < SWAPS) {
  }
  atomic_store(&stop, true);
  for (size_t i = 0; i < READERS; i++) {
    pthread_join(readers[i], NULL);
  }
  worker_publish(NULL);
  worker_free_all();
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_test(tests, a_configuration_lives_while_it_is_read);
}

int main(void) {
  return run_suite("worker", add_tests);
}
