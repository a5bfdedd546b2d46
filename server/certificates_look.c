#include "server/certificates_look.h"

#include <string.h>
#include <time.h>

#include "server/certificates_parts.h"
#include "server/clock.h"
#include "server/readiness.h"
#include "server/reload.h"

// More steps in one look than any state needs; then look again.
#define STEPS_MAX 12

// After a failure.
#define RETRY_MIN_MILLISECONDS 500
#define RETRY_MAX_MILLISECONDS 20000

int look_init(struct look *look, struct cluster *cluster, unsigned jitter, struct error *error) {
  memset(look, 0, sizeof *look);
  look->cluster = cluster;
  look->view.policy.jitter = jitter;
  look->writes_left = LOOK_WRITES_MAX;
  look->writes_refilled = clock_milliseconds();
  look->arena = arena_new(4096, (size_t)1 << 20);
  look->pool = certs_pool_new();
  if (look->arena == NULL || look->pool == NULL) {
    look_free(look);
    return error_set(error, "out of memory");
  }
  return 0;
}

static void forget_objects(struct look *look) {
  store_secret_free(&look->secret);
  for (size_t i = 0; i < LOOK_CONFIGURATIONS; i++) {
    store_webhooks_free(&look->webhooks[i]);
  }
}

void look_free(struct look *look) {
  forget_objects(look);
  certs_secret_free(&look->served.pem);
  certs_pool_free(look->pool);
  arena_free(look->arena);
  look->pool = NULL;
  look->arena = NULL;
}

// ---- settings ----

static bool take_names(struct look *look, const struct settings *settings) {
  const struct text_list *more = &settings->tls.dns_names;
  struct text *names = arena_calloc(look->arena, 4 + more->count, sizeof *names);
  if (names == NULL) {
    return false;
  }
  struct text service = settings->certificates.service;
  const char *namespace_ = look->place.namespace_;
  names[0] = arena_copy(look->arena, service);
  names[1] = arena_printf(look->arena, "%.*s.%s", TEXT_ARG(service), namespace_);
  names[2] = arena_printf(look->arena, "%.*s.%s.svc", TEXT_ARG(service), namespace_);
  names[3] = arena_printf(look->arena, "%.*s.%s.svc.cluster.local", TEXT_ARG(service), namespace_);
  for (size_t i = 0; i < more->count; i++) {
    names[4 + i] = arena_copy(look->arena, more->items[i]);
  }
  look->names = (struct text_list){names, 4 + more->count};
  for (size_t i = 0; i < look->names.count; i++) {
    if (names[i].data == NULL) {
      return false;
    }
  }
  return true;
}

bool look_take_settings(struct look *look, const struct settings *settings) {
  const struct certificate_settings *from = &settings->certificates;
  arena_reset(look->arena);
  look->place = (struct store_place){
      .namespace_ = from->namespace_.len > 0 ? arena_copy(look->arena, from->namespace_).data
                                             : cluster_namespace(look->cluster),
      .name = arena_copy(look->arena, from->secret).data,
      .keys = certs_secret_names,
      .key_count = CERTS_SECRET_COUNT,
  };
  look->webhooks_name = arena_copy(look->arena, from->webhooks).data;
  look->client_ca_file = arena_copy(look->arena, settings->tls.client_ca_file);
  unsigned jitter = look->view.policy.jitter;
  look->view.policy = (struct rotation_policy){
      .ca_seconds = from->ca_lifetime / 1000,
      .leaf_seconds = from->leaf_lifetime / 1000,
      .ca_lead = from->ca_renew_before,
      .leaf_lead = from->leaf_renew_before,
      .settle = from->settle,
      .resync = from->resync,
      .jitter = jitter,
  };
  return look->place.namespace_ != NULL && look->place.name != NULL &&
         look->webhooks_name != NULL && look->client_ca_file.data != NULL &&
         take_names(look, settings);
}

// ---- the look ----

void look_take_time(struct look *look) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  look->view.now = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
  look->view.monotonic = clock_milliseconds();
}

static int64_t retry_after(struct look *look) {
  int64_t wait = RETRY_MIN_MILLISECONDS;
  for (unsigned i = 0; i < look->failures && wait < RETRY_MAX_MILLISECONDS; i++) {
    wait *= 2;
  }
  look->failures++;
  wait = wait > RETRY_MAX_MILLISECONDS ? RETRY_MAX_MILLISECONDS : wait;
  // Replicas that lost the API server together must not come back together.
  return wait / 2 + wait / 2 * (int64_t)look->view.policy.jitter / 1000;
}

static int64_t fail(struct look *look, const struct fault *fault) {
  report_fault(&look->report, REPORT_API, "reading", fault);
  look_take_time(look);
  if (!look_serves_well(look) && fault->kind != FAULT_CANCELLED) {
    readiness_fail(READINESS_CERTIFICATE, fault->error.text);
  }
  int64_t wait = retry_after(look);
  return wait < look->view.policy.resync ? wait : look->view.policy.resync;
}

// Does one step. True if it was the last one.
static bool act(struct look *look, const struct rotation_plan *plan) {
  switch (plan->step) {
    case ROTATION_WRITE:
      look_write_secret(look, plan);
      return false;
    case ROTATION_PUBLISH:
      for (size_t i = 0; i < LOOK_CONFIGURATIONS; i++) {
        look_publish(look, plan, i);
      }
      return false;
    case ROTATION_ADOPT:
      look_adopt(look);
      return look->refusal.text[0] != '\0';
    case ROTATION_WAIT:
    case ROTATION_REFUSE:
      break;
  }
  return true;
}

static int64_t finish(struct look *look, const struct rotation_plan *plan) {
  const struct rotation_leaf *served = &look->served.rotation.leaf;
  bool same = served->usable && rotation_same(&served->id, &look->view.secret.leaf.id);
  if (same && reload_file_stamp(look->client_ca_file) != look->client_ca_stamp) {
    look_adopt(look);
  }
  look_note_sync(look);
  look_note_state(look, plan);
  for (size_t i = 0; i < LOOK_CONFIGURATIONS; i++) {
    if (!look->troubled[i]) {
      report_solved(&look->report, look_subject(i));
    }
  }
  int64_t wait = plan->step == ROTATION_ADOPT ? RETRY_MAX_MILLISECONDS : plan->wait;
  if (look->incomplete) {
    int64_t soon = retry_after(look);
    return soon < wait ? soon : wait;
  }
  look->failures = 0;
  return wait;
}

// Best effort: without it nothing is written. Said now, since a write may be due in months only.
static void take_identity(struct look *look) {
  struct fault fault = {.kind = FAULT_NONE};
  if (cluster_identity_check(look->cluster, LOOK_BUDGET_MILLISECONDS, &fault) == 0) {
    report_solved(&look->report, REPORT_IDENTITY);
  } else if (fault.kind == FAULT_FORBIDDEN) {
    report_fault(&look->report, REPORT_IDENTITY, "nothing can be written", &fault);
    look->incomplete = true;
  }
}

int64_t look_at_all(struct look *look) {
  static struct rotation_plan plan;  // 16 kB; one thread only
  struct fault fault = {.kind = FAULT_NONE};
  look->view.read_only = false;
  look->incomplete = false;
  look->obstacle.text[0] = '\0';
  memset(look->troubled, 0, sizeof look->troubled);
  for (size_t i = 0; i < look->view.bundle_count; i++) {
    look->view.bundles[i].locked = false;
  }
  if (cluster_identity(look->cluster)[0] == '\0') {
    take_identity(look);
  }
  int64_t wait = 0;
  bool done = false;
  for (int step = 0; step < STEPS_MAX && !done; step++) {
    if (look_read(look, &fault) != 0) {
      forget_objects(look);
      look->reached = false;
      return fail(look, &fault);
    }
    look->reached = true;
    rotation_plan(&look->view, &plan);
    done = act(look, &plan);
  }
  if (done) {
    wait = finish(look, &plan);
  }
  forget_objects(look);
  return wait;
}
