// The steps of a plan: writing the Secret, writing caBundle, serving another certificate.

#include "server/certificates_parts.h"
#include "server/log.h"
#include "server/metrics.h"
#include "server/reload.h"

// Milliseconds for each change after the first LOOK_WRITES_MAX.
#define WRITE_MILLISECONDS 200

struct report_place look_report_place(const struct look *look) {
  return (struct report_place){look->cluster, look->place.namespace_, look->place.name};
}

static bool may_write(struct look *look) {
  int64_t more = (look->view.monotonic - look->writes_refilled) / WRITE_MILLISECONDS;
  look->writes_refilled += more * WRITE_MILLISECONDS;
  look->writes_left += more;
  if (look->writes_left > LOOK_WRITES_MAX) {
    look->writes_left = LOOK_WRITES_MAX;
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
  const struct report_place place = look_report_place(look);
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
               cluster_identity_check(look->cluster, LOOK_BUDGET_MILLISECONDS, &fault) == 0;
  if (known && store_secret_write(look->cluster, &look->place, &look->secret, values,
                                  wanted->retire_after, LOOK_BUDGET_MILLISECONDS, &fault) == 0) {
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

void look_write_secret(struct look *look, const struct rotation_plan *plan) {
  if (!may_write(look)) {
    static const char why[] = "it is being changed all the time";
    report_problem(&look->report, REPORT_SECRET, why);
    give_up_writing(look, why);
    return;
  }
  const struct certs_secret borrowed = look_borrow(&look->secret);
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
  const char *kind = look_resource(configuration)->kind;
  log_fields(restored ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
             restored ? "caBundle restored" : "caBundle written",
             (struct log_field[]){log_text("kind", text_of(kind)),
                                  log_text("name", text_of(look->webhooks_name))},
             2);
  if (restored) {
    struct error message;
    error_set(&message, "caBundle of %s %s had been changed and is restored", kind,
              look->webhooks_name);
    const struct report_place place = look_report_place(look);
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
  if (store_webhooks_write(look->cluster, look_resource(configuration), look->webhooks_name,
                           &look->webhooks[configuration], pems, LOOK_BUDGET_MILLISECONDS,
                           &fault) == 0) {
    tell_published(look, configuration, restored);
    report_solved(&look->report, look_subject(configuration));
  } else if (fault.kind != FAULT_CONFLICT && fault.kind != FAULT_NOT_FOUND) {
    report_fault(&look->report, look_subject(configuration), "writing caBundle", &fault);
    lock_bundles(look, configuration);
  }
}

void look_publish(struct look *look, const struct rotation_plan *plan, size_t configuration) {
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
    report_problem(&look->report, look_subject(configuration), error.text);
    lock_bundles(look, configuration);
  } else if (any) {
    send_bundles(look, configuration, texts, restored);
  }
  for (size_t i = 0; i < STORE_BUNDLES_MAX; i++) {
    certs_bytes_free(&pems[i]);
  }
}

void look_adopt(struct look *look) {
  const struct certs_secret borrowed = look_borrow(&look->secret);
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
