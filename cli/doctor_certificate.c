#include <string.h>

#include "certs/describe.h"
#include "cli/doctor.h"
#include "cli/doctor_pem.h"
#include "cli/object.h"

// Our serving certificate: will the API server accept it?

#define CHECK "certificate"

// As the alert of protocol §5: renewing begins at a third, so a quarter means that it fails.
#define WARN_PART 4

// A value of the Secret: its keys have dots, which object_at() would follow.
static const char *data_of(const json_t *secret, const char *key) {
  const char *value = json_string_value(json_object_get(object_at(secret, "data"), key));
  return value == NULL ? "" : value;
}

static void report(const struct snapshot *snapshot, enum severity severity, const char *what,
                   const char *why, struct finding_list *findings) {
  struct finding_row row = {
      .severity = severity,
      .check = CHECK,
      .where = finding_text(findings, "Secret/%s in %s", object_name(snapshot->certificate),
                            snapshot->own_namespace),
      .what = what,
      .why = why,
      .fix = doctor_server_has_token(snapshot)
                 ? finding_text(findings,
                                "the server renews it; see why it does not: kubectl -n %s logs "
                                "deployment/%s",
                                snapshot->own_namespace, snapshot->own_name)
                 : finding_text(findings,
                                "renew it with the tool that made it (cert-manager: kubectl -n %s "
                                "describe certificates)",
                                snapshot->own_namespace),
  };
  finding_add(findings, &row);
}

static void check_dates(const struct snapshot *snapshot, const X509 *leaf,
                        struct finding_list *findings) {
  time_t begin = certs_time(X509_get0_notBefore(leaf));
  time_t end = certs_time(X509_get0_notAfter(leaf));
  if (end <= snapshot->now) {
    report(
        snapshot, SEVERITY_ERROR,
        finding_text(findings, "the serving certificate has expired on %s", certs_date(end).text),
        "the API server refuses it", findings);
  } else if (begin > snapshot->now) {
    report(snapshot, SEVERITY_ERROR,
           finding_text(findings, "the serving certificate is valid only from %s",
                        certs_date(begin).text),
           "the API server refuses it; is a clock wrong?", findings);
  } else if ((end - snapshot->now) * WARN_PART < end - begin) {
    report(snapshot, SEVERITY_WARNING,
           finding_text(findings,
                        "the serving certificate expires on %s, and less than a quarter "
                        "of its life is left",
                        certs_date(end).text),
           "it should have been renewed at a third", findings);
  }
}

static void store_cleanup(X509_STORE **store) {
  X509_STORE_free(*store);
}

static void context_cleanup(X509_STORE_CTX **context) {
  X509_STORE_CTX_free(*context);
}

// NULL, or why the API server, which trusts `bundle`, refuses the chain.
static const char *verify(STACK_OF(X509) * chain, STACK_OF(X509) * bundle, const char *name,
                          time_t now) {
  __attribute__((cleanup(store_cleanup))) X509_STORE *store = X509_STORE_new();
  __attribute__((cleanup(context_cleanup))) X509_STORE_CTX *context = X509_STORE_CTX_new();
  X509 *leaf = sk_X509_value(chain, 0);
  if (store == NULL || context == NULL) {
    return "out of memory";
  }
  for (int i = 0; i < sk_X509_num(bundle); i++) {
    X509_STORE_add_cert(store, sk_X509_value(bundle, i));
  }
  // Go takes every certificate of a pool for a root, also one that is not self-signed.
  X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
  if (X509_STORE_CTX_init(context, store, leaf, chain) != 1) {
    return "out of memory";
  }
  X509_STORE_CTX_set_time(context, 0, now);
  X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER);
  if (X509_verify_cert(context) != 1) {
    return X509_verify_cert_error_string(X509_STORE_CTX_get_error(context));
  }
  return X509_check_host(leaf, name, 0, 0, NULL) == 1 ? NULL : "the name is not in the certificate";
}

static void check_hook(const struct snapshot *snapshot, const struct hook *hook,
                       struct finding_list *findings) {
  bool all = false;
  const json_t *reference = object_at(hook->webhook, "clientConfig.service");
  if (!hook->is_ours || reference == NULL) {
    return;
  }
  x509_stack_auto *chain = doctor_pem(data_of(snapshot->certificate, "tls.crt"), &all);
  x509_stack_auto *bundle = doctor_pem(object_string(hook->webhook, "clientConfig.caBundle"), &all);
  if (sk_X509_num(chain) <= 0 || sk_X509_num(bundle) <= 0) {
    return;  // said by others
  }
  const char *name = finding_text(findings, "%s.%s.svc", object_string(reference, "name"),
                                  object_string(reference, "namespace"));
  const char *why_not = verify(chain, bundle, name, snapshot->now);
  if (why_not != NULL) {
    report(snapshot, SEVERITY_ERROR,
           finding_text(findings,
                        "the API server refuses the serving certificate as %s with the caBundle of "
                        "%s: %s",
                        name, hook->where, why_not),
           hook->fails ? "failurePolicy is Fail: every request that it covers is refused"
                       : "failurePolicy is Ignore: requests go through without the webhook",
           findings);
  }
}

void doctor_check_certificate(const struct snapshot *snapshot, struct finding_list *findings) {
  bool all = false;
  if (snapshot->certificate == NULL) {
    return;
  }
  x509_stack_auto *chain = doctor_pem(data_of(snapshot->certificate, "tls.crt"), &all);
  if (sk_X509_num(chain) <= 0) {
    report(snapshot, SEVERITY_ERROR, "its tls.crt holds no certificate that can be read",
           "the server has nothing to serve", findings);
    return;
  }
  check_dates(snapshot, sk_X509_value(chain, 0), findings);
  doctor_each_hook(snapshot, findings, check_hook);
}
