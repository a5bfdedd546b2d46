#include "server/certificates_look.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "server/clock.h"
#include "server/log.h"
#include "server/metrics.h"
#include "server/readiness.h"
#include "server/reload.h"

// One call with all its attempts: a look must not take so long that what was read is old.
#define BUDGET_MILLISECONDS 10000U

// More steps in one look than any state needs; then look again.
#define STEPS_MAX 12

// After a failure.
#define RETRY_MIN_MILLISECONDS 500
#define RETRY_MAX_MILLISECONDS 20000

// Replicas that do not agree (two configurations during an update) must not keep the API server
// busy: so many changes at once, then so many milliseconds for each.
#define WRITES_MAX 100
#define WRITE_MILLISECONDS 200

static const struct resource *resource_at(size_t configuration) {
  return configuration == 0 ? &resource_mutating_webhooks : &resource_validating_webhooks;
}

static enum report_subject subject_of(size_t configuration) {
  return configuration == 0 ? REPORT_MUTATING : REPORT_VALIDATING;
}

int look_init(struct look *look, struct cluster *cluster, unsigned jitter, struct error *error) {
  memset(look, 0, sizeof *look);
  look->cluster = cluster;
  look->view.policy.jitter = jitter;
  look->writes_left = WRITES_MAX;
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

static void take_time(struct look *look) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  look->view.now = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
  look->view.monotonic = clock_milliseconds();
}

// ---- reading ----

static int read_webhooks(struct look *look, size_t configuration, struct fault *fault) {
  struct store_webhooks *webhooks = &look->webhooks[configuration];
  store_webhooks_free(webhooks);
  const struct resource *resource = resource_at(configuration);
  if (store_webhooks_read(look->cluster, resource, look->webhooks_name, BUDGET_MILLISECONDS,
                          webhooks, fault) == 0) {
    return 0;
  }
  if (fault->kind != FAULT_FORBIDDEN) {
    return -1;
  }
  report_fault(&look->report, subject_of(configuration), "reading caBundle", fault);
  look->view.unseen = true;
  look->troubled[configuration] = true;
  look->incomplete = true;
  return 0;
}

// The bundle of that webhook in the view before, whose times are to be kept.
static size_t bundle_before(const struct look_bundle *before, size_t count, size_t configuration,
                            const char *name) {
  size_t i = 0;
  while (i < count &&
         (before[i].configuration != configuration || strcmp(before[i].name, name) != 0)) {
    i++;
  }
  return i;
}

static int note_bundles(struct look *look, struct fault *fault) {
  static struct rotation_bundle views[ROTATION_BUNDLES_MAX];  // one thread only
  static struct look_bundle before[ROTATION_BUNDLES_MAX];
  struct rotation_view *view = &look->view;
  size_t count = view->bundle_count;
  memcpy(views, view->bundles, count * sizeof views[0]);
  memcpy(before, look->bundles, count * sizeof before[0]);
  view->bundle_count = 0;
  for (size_t c = 0; c < LOOK_CONFIGURATIONS; c++) {
    const struct store_webhooks *webhooks = &look->webhooks[c];
    for (size_t i = 0; i < webhooks->count && view->bundle_count < ROTATION_BUNDLES_MAX; i++) {
      size_t at = view->bundle_count++;
      size_t old = bundle_before(before, count, c, webhooks->bundles[i].name);
      view->bundles[at] = old < count ? views[old] : (struct rotation_bundle){.looked = false};
      look->bundles[at] = old < count ? before[old] : (struct look_bundle){.configuration = c};
      look->bundles[at].index = i;
      snprintf(look->bundles[at].name, sizeof look->bundles[at].name, "%s",
               webhooks->bundles[i].name);
      struct rotation_cas cas;
      bool intact;
      const struct text pem = {webhooks->bundles[i].pem, webhooks->bundles[i].len};
      if (certs_pool_read(look->pool, pem, &cas, &intact) != 0) {
        fault->kind = FAULT_MEMORY;
        return error_set(&fault->error, "out of memory");
      }
      rotation_see(&view->bundles[at], &cas, intact && !webhooks->bundles[i].undecoded,
                   view->monotonic);
    }
  }
  return 0;
}

// The bytes stay those of the store.
static struct certs_secret borrow(const struct store_secret *secret) {
  struct certs_secret borrowed = {.retire_after = secret->retire_after};
  for (size_t i = 0; i < CERTS_SECRET_COUNT; i++) {
    borrowed.values[i] = (struct certs_bytes){secret->values[i].data, secret->values[i].len};
  }
  return borrowed;
}

// A Secret that was copied from another cluster: its CA may sign for that one, not for this.
static void distrust_other_cluster(struct look *look) {
  const char *uid = cluster_identity(look->cluster);
  const char *written = look->secret.cluster_uid;
  if (uid[0] == '\0' || written[0] == '\0' || strcmp(uid, written) == 0) {
    return;
  }
  look->view.secret.signer = -1;
  look->view.secret.next = -1;
  look->view.secret.damaged = true;
  error_set(&look->damage, "it was made for the cluster %s, this is %s", written, uid);
}

// True with a reason if the leaf is good but for the time.
static bool is_out_of_time(const struct look *look, struct error *reason) {
  const struct rotation_leaf *leaf = &look->view.secret.leaf;
  struct certs_date now = certs_date((time_t)(look->view.now / 1000));
  if (leaf->usable && look->view.now < (int64_t)leaf->not_before * 1000) {
    error_set(reason, "not valid before %s; it is %s now", certs_date(leaf->not_before).text,
              now.text);
    return true;
  }
  if (leaf->usable && look->view.now >= (int64_t)leaf->not_after * 1000) {
    error_set(reason, "expired on %s; it is %s now", certs_date(leaf->not_after).text, now.text);
    return true;
  }
  return false;
}

static int note_secret(struct look *look, struct fault *fault) {
  struct rotation_secret *secret = &look->view.secret;
  *secret = (struct rotation_secret){.found = ROTATION_ABSENT, .signer = -1, .next = -1};
  look->damage.text[0] = '\0';
  if (!look->secret.found) {
    return 0;
  }
  secret->found = look->secret.ours ? ROTATION_OURS : ROTATION_FOREIGN;
  const struct certs_secret borrowed = borrow(&look->secret);
  if (certs_secret_read(look->pool, &borrowed, &look->names, secret, &look->damage) != 0) {
    fault->kind = FAULT_MEMORY;
    fault->error = look->damage;
    return -1;
  }
  if (look->secret.undecoded) {
    secret->damaged = true;
  }
  distrust_other_cluster(look);
  return 0;
}

static int fill_pool(struct look *look, struct fault *fault) {
  struct certs_pool *pool = certs_pool_new();
  struct rotation_cas ignored;
  bool intact;
  const struct certs_bytes *served = &look->served.pem.values[CERTS_SECRET_CA];
  if (pool == NULL ||
      certs_pool_read(pool, (struct text){served->data, served->len}, &ignored, &intact) != 0) {
    certs_pool_free(pool);
    fault->kind = FAULT_MEMORY;
    return error_set(&fault->error, "out of memory");
  }
  certs_pool_free(look->pool);
  look->pool = pool;
  return 0;
}

// Why the certificate will be replaced, if there is nothing worse.
static void note_time(struct look *look) {
  struct error reason;
  if (look->damage.text[0] == '\0' && is_out_of_time(look, &reason)) {
    error_set(&look->damage, "%s: %s", certs_secret_names[CERTS_SECRET_CHAIN], reason.text);
  }
}

// Bundles first, then the Secret: see certs/rotation.h.
static int read_all(struct look *look, struct fault *fault) {
  look->view.unseen = false;
  for (size_t i = 0; i < LOOK_CONFIGURATIONS; i++) {
    if (read_webhooks(look, i, fault) != 0) {
      return -1;
    }
  }
  take_time(look);
  store_secret_free(&look->secret);
  if (fill_pool(look, fault) != 0 || note_bundles(look, fault) != 0 ||
      store_secret_read(look->cluster, &look->place, BUDGET_MILLISECONDS, &look->secret, fault) !=
          0 ||
      note_secret(look, fault) != 0) {
    return -1;
  }
  take_time(look);
  note_time(look);
  rotation_note_strays(&look->view);
  look->view.served = look->served.rotation;
  report_solved(&look->report, REPORT_API);
  return 0;
}

// ---- doing ----

static struct report_place place_of(const struct look *look) {
  return (struct report_place){look->cluster, look->place.namespace_, look->place.name};
}

static bool may_write(struct look *look) {
  int64_t more = (look->view.monotonic - look->writes_refilled) / WRITE_MILLISECONDS;
  look->writes_refilled += more * WRITE_MILLISECONDS;
  look->writes_left += more;
  if (look->writes_left > WRITES_MAX) {
    look->writes_left = WRITES_MAX;
  }
  return look->writes_left-- > 0;
}

// What could not be done is left out of the plan until the next look.
static void give_up_writing(struct look *look, const char *why) {
  error_set(&look->obstacle, "%s", why);
  look->view.read_only = true;
  look->incomplete = true;
  metrics_rotation(METRICS_ROTATION_FAILED);
}

static void tell_written(struct look *look, enum rotation_reason reason) {
  metrics_rotation((unsigned)reason);
  const char *damage = reason == ROTATION_REPLACED ? look->damage.text : "";
  struct error message;
  error_set(&message, "%s%s%s", rotation_reason_text(reason), damage[0] == '\0' ? "" : ": ",
            damage);
  log_fields(reason == ROTATION_REPLACED ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
             rotation_reason_text(reason),
             (struct log_field[]){log_text("namespace", text_of(look->place.namespace_)),
                                  log_text("secret", text_of(look->place.name)),
                                  log_text("reason", text_of(damage))},
             damage[0] == '\0' ? 2 : 3);
  const struct report_place place = place_of(look);
  report_event(&look->report, &place, rotation_reason_name(reason), message.text,
               reason == ROTATION_REPLACED);
}

static void send_secret(struct look *look, const struct rotation_plan *plan,
                        const struct certs_secret *wanted) {
  struct text values[CERTS_SECRET_COUNT];
  for (size_t i = 0; i < CERTS_SECRET_COUNT; i++) {
    values[i] = (struct text){wanted->values[i].data, wanted->values[i].len};
  }
  struct fault fault = {.kind = FAULT_NONE};
  // The UID is written into the Secret, so it has to be known before.
  bool known = cluster_identity(look->cluster)[0] != '\0' ||
               cluster_identity_check(look->cluster, BUDGET_MILLISECONDS, &fault) == 0;
  if (known && store_secret_write(look->cluster, &look->place, &look->secret, values,
                                  wanted->retire_after, BUDGET_MILLISECONDS, &fault) == 0) {
    tell_written(look, plan->reason);
    report_solved(&look->report, REPORT_SECRET);
    return;
  }
  if (known && (fault.kind == FAULT_CONFLICT || fault.kind == FAULT_ALREADY_EXISTS ||
                fault.kind == FAULT_NOT_FOUND)) {
    metrics_rotation(METRICS_ROTATION_CONFLICT);  // somebody else was first: read again
    return;
  }
  report_fault(&look->report, REPORT_SECRET, rotation_reason_text(plan->reason), &fault);
  give_up_writing(look, fault.error.text);
}

static void write_secret(struct look *look, const struct rotation_plan *plan) {
  if (!may_write(look)) {
    static const char why[] = "it is being changed all the time";
    report_problem(&look->report, REPORT_SECRET, why);
    give_up_writing(look, why);
    return;
  }
  const struct certs_secret borrowed = borrow(&look->secret);
  const struct certs_change change = {
      .write = &plan->write,
      .policy = &look->view.policy,
      .read = &look->view.secret,
      .secret = look->secret.found ? &borrowed : NULL,
      .served = &look->served,
      .names = &look->names,
      .now = look->view.now,
  };
  certs_secret_auto wanted = {.retire_after = 0};
  struct error error;
  if (certs_secret_change(look->pool, &change, &wanted, &error) != 0) {
    report_problem(&look->report, REPORT_SECRET, error.text);
    give_up_writing(look, error.text);
    return;
  }
  send_secret(look, plan, &wanted);
}

// True if somebody has taken out what was in it.
static bool was_spoilt(const struct look *look, size_t bundle) {
  const struct rotation_cas *was = &look->bundles[bundle].in_sync;
  for (size_t i = 0; i < was->count; i++) {
    const struct rotation_id *id = &was->items[i].id;
    if (rotation_find(&look->view.secret.cas, id) != NULL &&
        rotation_find(&look->view.bundles[bundle].cas, id) == NULL) {
      return true;
    }
  }
  return false;
}

static void tell_published(struct look *look, size_t configuration, bool restored) {
  metrics_bundle_written();
  const char *kind = resource_at(configuration)->kind;
  log_fields(restored ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
             restored ? "caBundle restored" : "caBundle written",
             (struct log_field[]){log_text("kind", text_of(kind)),
                                  log_text("name", text_of(look->webhooks_name))},
             2);
  if (restored) {
    struct error message;
    error_set(&message, "caBundle of %s %s had been changed and is restored", kind,
              look->webhooks_name);
    const struct report_place place = place_of(look);
    report_event(&look->report, &place, "CABundleRestored", message.text, true);
  }
}

static void lock_bundles(struct look *look, size_t configuration) {
  look->troubled[configuration] = true;
  for (size_t i = 0; i < look->view.bundle_count; i++) {
    if (look->bundles[i].configuration == configuration) {
      look->view.bundles[i].locked = true;
    }
  }
  look->incomplete = true;
}

static void send_bundles(struct look *look, size_t configuration, const struct text *pems,
                         bool restored) {
  struct fault fault = {.kind = FAULT_NONE};
  if (store_webhooks_write(look->cluster, resource_at(configuration), look->webhooks_name,
                           &look->webhooks[configuration], pems, BUDGET_MILLISECONDS,
                           &fault) == 0) {
    tell_published(look, configuration, restored);
    report_solved(&look->report, subject_of(configuration));
  } else if (fault.kind != FAULT_CONFLICT && fault.kind != FAULT_NOT_FOUND) {
    report_fault(&look->report, subject_of(configuration), "writing caBundle", &fault);
    lock_bundles(look, configuration);
  }
}

static void publish(struct look *look, const struct rotation_plan *plan, size_t configuration) {
  struct certs_bytes pems[STORE_BUNDLES_MAX] = {{NULL, 0}};
  struct text texts[STORE_BUNDLES_MAX] = {{NULL, 0}};
  bool any = false;
  bool restored = false;
  bool failed = false;
  struct error error;
  for (size_t i = 0; i < look->view.bundle_count && !failed; i++) {
    size_t at = look->bundles[i].index;
    if (look->bundles[i].configuration != configuration || !plan->publishes[i]) {
      continue;
    }
    any = true;
    restored = restored || was_spoilt(look, i);
    failed = certs_pool_write(look->pool, &plan->bundles[i], &pems[at], &error) != 0;
    texts[at] = (struct text){pems[at].data, pems[at].len};
  }
  if (failed) {
    report_problem(&look->report, subject_of(configuration), error.text);
    lock_bundles(look, configuration);
  } else if (any) {
    send_bundles(look, configuration, texts, restored);
  }
  for (size_t i = 0; i < STORE_BUNDLES_MAX; i++) {
    certs_bytes_free(&pems[i]);
  }
}

static void adopt(struct look *look) {
  const struct certs_secret borrowed = borrow(&look->secret);
  struct certs_served served;
  struct certs_pair *pair =
      certs_secret_pair(look->pool, &borrowed, &look->view.secret, &look->names,
                        (time_t)(look->view.now / 1000), &served, &look->refusal);
  look->client_ca_stamp = reload_file_stamp(look->client_ca_file);
  if (pair == NULL ||
      reload_put_certificate_in_force(pair, look->client_ca_file, &look->refusal) != 0) {
    certs_pair_free(pair);
    certs_secret_free(&served.pem);
    metrics_reloaded(METRICS_CERTIFICATE, false);
    report_problem(&look->report, REPORT_LEAF, look->refusal.text);
    return;
  }
  look->refusal.text[0] = '\0';
  certs_pair_free(pair);
  certs_secret_free(&look->served.pem);
  look->served = served;
  look->view.served = served.rotation;
  report_solved(&look->report, REPORT_LEAF);
}

// ---- what is well and what is not ----

// Why nothing is served, or nothing that is valid.
static void explain(const struct look *look, const struct rotation_plan *plan,
                    struct error *reason) {
  const struct rotation_leaf *leaf = &look->view.secret.leaf;
  const char *namespace_ = look->place.namespace_;
  const char *name = look->place.name;
  struct error when;
  if (plan->step == ROTATION_REFUSE) {
    error_set(reason,
              "Secret %s/%s is not ours, it has no label app.kubernetes.io/managed-by: rayfix; "
              "remove it, or set certificates.secret to another name",
              namespace_, name);
  } else if (look->view.secret.found == ROTATION_ABSENT) {
    error_set(reason, "Secret %s/%s does not exist and could not be created", namespace_, name);
  } else if (look->refusal.text[0] != '\0') {
    error_set(reason, "Secret %s/%s: %s", namespace_, name, look->refusal.text);
  } else if (is_out_of_time(look, &when)) {
    error_set(reason, "Secret %s/%s: %s", namespace_, name, when.text);
  } else if (!leaf->usable && look->view.secret.next < 0) {
    error_set(reason, "Secret %s/%s: %s", namespace_, name, look->damage.text);
  } else {
    error_set(reason, "waiting until every API server trusts the CA in Secret %s/%s", namespace_,
              name);
  }
  if (look->obstacle.text[0] != '\0') {
    const struct error what = *reason;
    error_set(reason, "%s: %s", what.text, look->obstacle.text);
  }
}

static bool serves_well(const struct look *look) {
  const struct rotation_leaf *leaf = &look->served.rotation.leaf;
  return leaf->usable && look->view.now >= (int64_t)leaf->not_before * 1000 &&
         look->view.now < (int64_t)leaf->not_after * 1000;
}

static void note_state(struct look *look, const struct rotation_plan *plan) {
  struct error reason;
  const struct rotation_secret *secret = &look->view.secret;
  if (secret->signer >= 0) {
    metrics_ca_expiry_set((int64_t)secret->cas.items[secret->signer].not_after);
  }
  if (plan->step == ROTATION_REFUSE) {
    explain(look, plan, &reason);
    if (report_problem(&look->report, REPORT_SECRET, reason.text)) {
      const struct report_place place = place_of(look);
      report_event(&look->report, &place, "CertificateRefused", reason.text, true);
    }
  } else if (!look->view.read_only) {
    report_solved(&look->report, REPORT_SECRET);
  }
  if (!serves_well(look)) {
    explain(look, plan, &reason);
    readiness_fail(READINESS_CERTIFICATE, reason.text);
    report_problem(&look->report, REPORT_LEAF, reason.text);
  }
}

static void note_sync(struct look *look) {
  bool all = look->view.secret.found == ROTATION_OURS;
  for (size_t i = 0; i < look->view.bundle_count; i++) {
    const struct rotation_bundle *bundle = &look->view.bundles[i];
    bool holds = bundle->intact;
    for (size_t j = 0; holds && j < look->view.secret.cas.count; j++) {
      holds = rotation_find(&bundle->cas, &look->view.secret.cas.items[j].id) != NULL;
    }
    if (holds) {
      look->bundles[i].in_sync = bundle->cas;
    }
    all = all && holds;
  }
  metrics_bundle_in_sync(all);
}

// ---- the look ----

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
  take_time(look);
  if (!serves_well(look) && fault->kind != FAULT_CANCELLED) {
    readiness_fail(READINESS_CERTIFICATE, fault->error.text);
  }
  int64_t wait = retry_after(look);
  return wait < look->view.policy.resync ? wait : look->view.policy.resync;
}

// Does one step. True if it was the last one.
static bool act(struct look *look, const struct rotation_plan *plan) {
  switch (plan->step) {
    case ROTATION_WRITE:
      write_secret(look, plan);
      return false;
    case ROTATION_PUBLISH:
      for (size_t i = 0; i < LOOK_CONFIGURATIONS; i++) {
        publish(look, plan, i);
      }
      return false;
    case ROTATION_ADOPT:
      adopt(look);
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
    adopt(look);
  }
  note_sync(look);
  note_state(look, plan);
  for (size_t i = 0; i < LOOK_CONFIGURATIONS; i++) {
    if (!look->troubled[i]) {
      report_solved(&look->report, subject_of(i));
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
  if (cluster_identity_check(look->cluster, BUDGET_MILLISECONDS, &fault) == 0) {
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
    if (read_all(look, &fault) != 0) {
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
