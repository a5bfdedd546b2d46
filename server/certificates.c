#include "server/certificates.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cluster/watch.h"
#include "server/certificates_look.h"
#include "server/clock.h"
#include "server/log.h"
#include "server/memory.h"
#include "server/readiness.h"
#include "server/worker.h"

// Where there is no API server to talk to.
#define OPEN_MILLISECONDS 5000

// The Secret and both configurations.
#define WATCHES 3

#define LIST_BUDGET_MILLISECONDS 10000U

// Events come in bursts, and our own writes come back as events.
#define GATHER_MILLISECONDS 20

struct certificates {
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  bool stopping;
  struct cluster *cluster;  // NULL while there is none
  struct look look;
  struct watch *watches[WATCHES];
  const struct resource *watched[WATCHES];
};

// Sleeps so long, or until the end. True at the end.
static bool pause_for(struct certificates *certificates, int64_t milliseconds) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += (time_t)(milliseconds / 1000);
  until.tv_nsec += (long)(milliseconds % 1000) * 1000000;
  if (until.tv_nsec >= 1000000000) {
    until.tv_sec++;
    until.tv_nsec -= 1000000000;
  }
  pthread_mutex_lock(&certificates->lock);
  int waited = 0;
  while (!certificates->stopping && waited == 0) {
    waited = pthread_cond_timedwait(&certificates->wake, &certificates->lock, &until);
  }
  bool stopping = certificates->stopping;
  pthread_mutex_unlock(&certificates->lock);
  return stopping;
}

static bool is_stopping(struct certificates *certificates) {
  pthread_mutex_lock(&certificates->lock);
  bool stopping = certificates->stopping;
  pthread_mutex_unlock(&certificates->lock);
  return stopping;
}

// ---- watching ----

static void count_event(void *context, const struct watch_event *event) {
  (void)event;
  ++*(size_t *)context;
}

static struct cluster_selection selection_of(const struct certificates *certificates, size_t index,
                                             char field[320]) {
  const struct look *look = &certificates->look;
  const char *name = index == 0 ? look->place.name : look->webhooks_name;
  snprintf(field, 320, "metadata.name=%s", name);
  return (struct cluster_selection){.namespace_ = index == 0 ? look->place.namespace_ : NULL,
                                    .field_selector = field};
}

static enum report_subject subject_of(size_t index) {
  static const enum report_subject subjects[WATCHES] = {REPORT_WATCH_SECRET, REPORT_WATCH_MUTATING,
                                                        REPORT_WATCH_VALIDATING};
  return subjects[index];
}

// Opens what is not open. Without a watch a change is seen at the next look only.
static void open_watches(struct certificates *certificates) {
  static const struct resource *const resources[WATCHES] = {
      &resource_secrets, &resource_mutating_webhooks, &resource_validating_webhooks};
  for (size_t i = 0; i < WATCHES; i++) {
    char field[320];
    char version[CLUSTER_VERSION_MAX];
    struct fault fault = {.kind = FAULT_NONE};
    bool gone = certificates->watches[i] != NULL && watch_is_gone(certificates->watches[i]);
    if (certificates->watches[i] != NULL && !gone) {
      continue;
    }
    const struct cluster_selection selection = selection_of(certificates, i, field);
    if (cluster_list(certificates->cluster, resources[i], &selection, LIST_BUDGET_MILLISECONDS,
                     NULL, version, &fault) != 0) {
      report_fault(&certificates->look.report, subject_of(i), "listing", &fault);
    } else if (gone) {
      watch_restart(certificates->watches[i], version);
    } else {
      certificates->watches[i] =
          watch_open(certificates->cluster, resources[i], &selection, version, &fault);
    }
  }
}

// The fault of one watch; its text names the resource.
static void tell_fault(struct certificates *certificates, const struct fault *fault) {
  for (size_t i = 0; i < WATCHES; i++) {
    const struct watch *watch = certificates->watches[i];
    if (watch != NULL && strcmp(watch_fault(watch)->error.text, fault->error.text) == 0) {
      report_fault(&certificates->look.report, subject_of(i), "watching", fault);
      return;
    }
  }
  // Of what they share.
  report_fault(&certificates->look.report, REPORT_WATCH_SECRET, "watching", fault);
}

static void note_live_watches(struct certificates *certificates) {
  for (size_t i = 0; i < WATCHES; i++) {
    if (certificates->watches[i] != NULL && watch_is_live(certificates->watches[i])) {
      report_solved(&certificates->look.report, subject_of(i));
    }
  }
}

static void close_watches(struct certificates *certificates) {
  for (size_t i = 0; i < WATCHES; i++) {
    watch_close(certificates->watches[i]);
    certificates->watches[i] = NULL;
  }
}

// Waits until something has changed, the time has passed or the end.
static void wait_for_change(struct certificates *certificates, int64_t milliseconds) {
  struct watch *open[WATCHES];
  size_t count = 0;
  for (size_t i = 0; i < WATCHES; i++) {
    if (certificates->watches[i] != NULL) {
      open[count++] = certificates->watches[i];
    }
  }
  int64_t end = clock_milliseconds() + milliseconds;
  size_t events = 0;
  while (count > 0 && events == 0 && !is_stopping(certificates)) {
    int64_t left = end - clock_milliseconds();
    if (left <= 0) {
      return;
    }
    struct fault fault = {.kind = FAULT_NONE};
    if (watch_wait(open, count, (unsigned)left, count_event, &events, &fault) >= 0) {
      continue;
    }
    if (fault.kind == FAULT_GONE) {
      return;  // what happened in between is unknown: look
    }
    tell_fault(certificates, &fault);
    if (pause_for(certificates, 100)) {
      return;
    }
  }
  pause_for(certificates, events > 0 ? GATHER_MILLISECONDS : end - clock_milliseconds());
}

// ---- the thread ----

static struct cluster *open_cluster(const struct settings *settings, struct fault *fault) {
  char dir[4096];
  snprintf(dir, sizeof dir, "%.*s", TEXT_ARG(settings->certificates.account_dir));
  return cluster_open_in_pod(dir, NULL, fault);
}

// Tries until there is an API server to talk to: the folder of the service account may come late.
static bool connect_cluster(struct certificates *certificates, struct worker *worker) {
  struct report report = {.events_left = 0};
  for (;;) {
    struct fault fault = {.kind = FAULT_NONE};
    struct cluster *cluster = open_cluster(&worker_acquire(worker)->settings, &fault);
    worker_release(worker);
    pthread_mutex_lock(&certificates->lock);
    certificates->cluster = cluster;
    bool stopping = certificates->stopping;
    pthread_mutex_unlock(&certificates->lock);
    if (cluster != NULL && !stopping) {
      return true;
    }
    report_fault(&report, REPORT_API, "certificates.source: secret", &fault);
    readiness_fail(READINESS_CERTIFICATE, fault.error.text);
    if (stopping || pause_for(certificates, OPEN_MILLISECONDS)) {
      return false;
    }
  }
}

// So that replicas do not all renew in the same moment. Who is first is decided by the API server.
static unsigned jitter_of_this_process(void) {
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  uint64_t hash = (uint64_t)clock_nanoseconds() ^ ((uint64_t)getpid() << 32);
  for (const char *at = host; *at != '\0'; at++) {
    hash = (hash ^ (unsigned char)*at) * 1099511628211ULL;
  }
  return (unsigned)((hash >> 16) % 1000);
}

static void keep_looking(struct certificates *certificates, struct worker *worker) {
  while (!is_stopping(certificates)) {
    // Copied, not held: a reload waits until nobody reads the old configuration.
    bool taken = look_take_settings(&certificates->look, &worker_acquire(worker)->settings);
    worker_release(worker);
    int64_t wait = taken ? look_at_all(&certificates->look) : OPEN_MILLISECONDS;
    if (certificates->look.reached && !is_stopping(certificates)) {
      open_watches(certificates);
    }
    wait_for_change(certificates, wait);
    note_live_watches(certificates);
  }
}

static void *run(void *context) {
  struct certificates *certificates = context;
  struct worker *worker = worker_self();
  if (worker == NULL || !connect_cluster(certificates, worker)) {
    return NULL;
  }
  struct error error;
  if (look_init(&certificates->look, certificates->cluster, jitter_of_this_process(), &error) !=
      0) {
    log_message(LOG_LEVEL_ERROR, "certificates: %s", error.text);
    return NULL;
  }
  keep_looking(certificates, worker);
  close_watches(certificates);
  look_free(&certificates->look);
  return NULL;
}

static void certificates_free(struct certificates *certificates) {
  cluster_close(certificates->cluster);
  pthread_cond_destroy(&certificates->wake);
  pthread_mutex_destroy(&certificates->lock);
  free(certificates);
}

struct certificates *certificates_start(struct error *error) {
  struct certificates *certificates = calloc(1, sizeof *certificates);
  if (certificates == NULL) {
    error_set(error, "out of memory");
    return NULL;
  }
  store_wipe_json();
  pthread_mutex_init(&certificates->lock, NULL);
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&certificates->wake, &monotonic);
  pthread_condattr_destroy(&monotonic);
  int failed = pthread_create(&certificates->thread, NULL, run, certificates);
  if (failed != 0) {
    error_set(error, "cannot start the thread of certificates: %s", strerror(failed));
    certificates_free(certificates);
    return NULL;
  }
  return certificates;
}

void certificates_stop(struct certificates *certificates) {
  if (certificates == NULL) {
    return;
  }
  pthread_mutex_lock(&certificates->lock);
  certificates->stopping = true;
  if (certificates->cluster != NULL) {
    cluster_cancel(certificates->cluster);
  }
  pthread_cond_signal(&certificates->wake);
  pthread_mutex_unlock(&certificates->lock);
  pthread_join(certificates->thread, NULL);
  certificates_free(certificates);
}
