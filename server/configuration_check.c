#include "admission/option_text.h"
#include "server/configuration.h"
#include "server/configuration_read.h"

// Settings that are each fine and do not fit together. A setting that the file does not hold has
// its default; the mistake is then reported where its section stands.

static void report(struct mistakes *mistakes, const struct node *root, const char *section,
                   const char *key, const char *found, const char *wanted) {
  const struct node *mapping = node_get(root, section);
  const struct node *node = node_get(mapping, key);
  const struct node *place = node != NULL ? node : mapping != NULL ? mapping : root;
  struct path parent = {.key = text_of(section)};
  struct path path = {.parent = &parent, .key = text_of(key)};
  mistakes_add(mistakes, place->line, place->column, &path, "found %s, wanted %s", found, wanted);
}

static void check_less(struct mistakes *mistakes, const struct node *root, const char *key,
                       int64_t found, const char *than, int64_t limit) {
  if (found < limit) {
    return;
  }
  char shown[DURATION_TEXT_MAX];
  char bound[DURATION_TEXT_MAX];
  duration_format(found, shown);
  duration_format(limit, bound);
  struct text wanted = arena_printf(mistakes->arena, "less than %s (%s)", than, bound);
  report(mistakes, root, "certificates", key, shown, wanted.data == NULL ? than : wanted.data);
}

static void check_certificates(const struct certificate_settings *certificates,
                               const struct node *root, struct mistakes *mistakes) {
  check_less(mistakes, root, "caRenewBefore", certificates->ca_renew_before,
             "certificates.caLifetime", certificates->ca_lifetime);
  check_less(mistakes, root, "leafRenewBefore", certificates->leaf_renew_before,
             "certificates.leafLifetime", certificates->leaf_lifetime);
  // A CA that ended before its successor is trusted would leave a gap.
  int64_t lead = certificates->ca_renew_before;
  check_less(mistakes, root, "settle", certificates->settle, "the time for changing the CA",
             lead > 0 ? lead : certificates->ca_lifetime / 3);
}

void configuration_check(const struct configuration *configuration, const struct node *root,
                         struct mistakes *mistakes) {
  const struct limit_settings *limits = &configuration->settings.limits;
  if (limits->request_timeout >= limits->idle_timeout) {
    char found[DURATION_TEXT_MAX];
    char idle[DURATION_TEXT_MAX];
    duration_format(limits->request_timeout, found);
    duration_format(limits->idle_timeout, idle);
    struct text wanted = arena_printf(mistakes->arena, "less than limits.idleTimeout (%s)", idle);
    report(mistakes, root, "limits", "requestTimeout", found,
           wanted.data == NULL ? "less than limits.idleTimeout" : wanted.data);
  }
  if (limits->body.nano > limits->bytes_in_flight.nano) {
    report(mistakes, root, "limits", "bytesInFlight", "less than limits.body",
           "room for at least one body");
  }
  check_certificates(&configuration->settings.certificates, root, mistakes);
  const struct tls_settings *tls = &configuration->settings.tls;
  if (tls->client_names.count > 0 && tls->client_ca_file.len == 0) {
    // Names alone would look like protection and check nothing.
    report(mistakes, root, "tls", "clientNames", "names without tls.clientCAFile",
           "both or neither");
  }
}
