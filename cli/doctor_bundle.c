#include <string.h>

#include "certs/describe.h"
#include "certs/pem.h"
#include "cli/doctor.h"
#include "cli/doctor_pem.h"
#include "cli/object.h"
#include "cluster/base64.h"

// Does the API server have a certificate authority to trust, and for how long?

#define CHECK "webhook-bundle"

// Time enough for a person to renew a certificate by hand.
#define SOON_SECONDS (30L * 86400)

STACK_OF(X509) * doctor_pem(const char *base64, bool *ret_all) {
  buffer_auto pem = {.max = CERTS_FILE_MAX};
  *ret_all = false;
  if (!base64_decode(text_of(base64), &pem) || pem.len == 0) {
    return NULL;
  }
  return certs_pem_salvage_certificates((struct text){pem.data, pem.len}, ret_all);
}

static void report(const struct hook *hook, enum severity severity, const char *what,
                   const struct snapshot *snapshot, struct finding_list *findings) {
  struct finding_row row = {
      .severity = severity,
      .check = CHECK,
      .where = hook->where,
      .what = what,
      .why = hook->fails ? "the API server cannot verify the webhook; failurePolicy is Fail: "
                           "every request that it covers is refused"
                         : "the API server cannot verify the webhook; failurePolicy is Ignore: "
                           "requests go through without it",
      .fix = hook->is_ours && doctor_server_has_token(snapshot)
                 ? finding_text(findings,
                                "the server writes it; see why it does not: kubectl -n %s logs "
                                "deployment/%s",
                                snapshot->own_namespace, snapshot->own_name)
                 : finding_text(findings,
                                "renew it with the tool that made it (cert-manager: is its "
                                "cainjector running?); kubectl get %s %s -o yaml",
                                hook->kind, object_name(hook->configuration)),
  };
  finding_add(findings, &row);
}

struct validity {
  size_t valid;
  time_t last_end;  // of all
  time_t first_begin;
};

static struct validity validity_of(const STACK_OF(X509) * stack, time_t now) {
  struct validity validity = {.first_begin = 0};
  for (int i = 0; i < sk_X509_num(stack); i++) {
    const X509 *cert = sk_X509_value(stack, i);
    time_t begin = certs_time(X509_get0_notBefore(cert));
    time_t end = certs_time(X509_get0_notAfter(cert));
    validity.valid += begin <= now && now < end ? 1 : 0;
    validity.last_end = end > validity.last_end ? end : validity.last_end;
    validity.first_begin = i == 0 || begin < validity.first_begin ? begin : validity.first_begin;
  }
  return validity;
}

static void check_dates(const struct snapshot *snapshot, const struct hook *hook,
                        const STACK_OF(X509) * stack, enum severity bad,
                        struct finding_list *findings) {
  struct validity validity = validity_of(stack, snapshot->now);
  if (validity.valid == 0 && validity.last_end <= snapshot->now) {
    report(hook, bad,
           finding_text(findings, "its caBundle has expired on %s",
                        certs_date(validity.last_end).text),
           snapshot, findings);
  } else if (validity.valid == 0) {
    report(hook, bad,
           finding_text(findings, "its caBundle is valid only from %s",
                        certs_date(validity.first_begin).text),
           snapshot, findings);
  } else if (validity.last_end - snapshot->now < SOON_SECONDS && !hook->is_ours) {
    report(hook, SEVERITY_WARNING,
           finding_text(findings, "its caBundle expires on %s", certs_date(validity.last_end).text),
           snapshot, findings);
  }
}

static void check(const struct snapshot *snapshot, const struct hook *hook,
                  struct finding_list *findings) {
  const char *bundle = object_string(hook->webhook, "clientConfig.caBundle");
  enum severity bad = hook->fails || hook->is_ours ? SEVERITY_ERROR : SEVERITY_WARNING;
  if (bundle[0] == '\0') {
    // By url it may be a public name with a public certificate.
    if (object_at(hook->webhook, "clientConfig.service") != NULL) {
      report(hook, bad, "its caBundle is empty", snapshot, findings);
    }
    return;
  }
  bool all = false;
  x509_stack_auto *stack = doctor_pem(bundle, &all);
  if (sk_X509_num(stack) <= 0) {
    report(hook, bad, "its caBundle holds no certificate that can be read", snapshot, findings);
    return;
  }
  if (!all) {
    report(hook, SEVERITY_WARNING, "its caBundle holds something besides certificates", snapshot,
           findings);
  }
  check_dates(snapshot, hook, stack, bad, findings);
}

void doctor_check_bundles(const struct snapshot *snapshot, struct finding_list *findings) {
  doctor_each_hook(snapshot, findings, check);
}
