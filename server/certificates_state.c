// What is well and what is not, for readiness, metrics, the log and Events.

#include "server/certificates_parts.h"
#include "server/metrics.h"
#include "server/readiness.h"

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
  } else if (look_is_out_of_time(look, &when)) {
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

bool look_serves_well(const struct look *look) {
  const struct rotation_leaf *leaf = &look->served.rotation.leaf;
  return leaf->usable && look->view.now >= (int64_t)leaf->not_before * 1000 &&
         look->view.now < (int64_t)leaf->not_after * 1000;
}

void look_note_state(struct look *look, const struct rotation_plan *plan) {
  struct error reason;
  const struct rotation_secret *secret = &look->view.secret;
  if (secret->signer >= 0) {
    metrics_ca_expiry_set((int64_t)secret->cas.items[secret->signer].not_after);
  }
  if (plan->step == ROTATION_REFUSE) {
    explain(look, plan, &reason);
    if (report_problem(&look->report, REPORT_SECRET, reason.text)) {
      const struct report_place place = look_report_place(look);
      report_event(&look->report, &place, "CertificateRefused", reason.text, true);
    }
  } else if (!look->view.read_only) {
    report_solved(&look->report, REPORT_SECRET);
  }
  if (!look_serves_well(look)) {
    explain(look, plan, &reason);
    readiness_fail(READINESS_CERTIFICATE, reason.text);
    report_problem(&look->report, REPORT_LEAF, reason.text);
  }
}

void look_note_sync(struct look *look) {
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
