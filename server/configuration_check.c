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
  const struct tls_settings *tls = &configuration->settings.tls;
  if (tls->client_names.count > 0 && tls->client_ca_file.len == 0) {
    // Names alone would look like protection and check nothing.
    report(mistakes, root, "tls", "clientNames", "names without tls.clientCAFile",
           "both or neither");
  }
}
