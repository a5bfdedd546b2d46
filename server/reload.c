#include "server/reload.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "certs/certs.h"
#include "server/log.h"
#include "server/memory.h"
#include "server/metrics.h"
#include "server/readiness.h"
#include "server/tls_identity.h"
#include "server/worker.h"

// As cert-controller does (protocol §5).
#define CA_SECONDS (10L * 365 * 24 * 3600)
#define LEAF_SECONDS (365L * 24 * 3600)

#define PATH_TEXT_MAX 4096

// As certs_dir_stamp() does for its files: changes when the file, or the symlink that leads to it,
// is replaced or rewritten.
static unsigned long long file_stamp(const char *path) {
  struct stat status;
  if (path == NULL || stat(path, &status) != 0) {
    return 0;
  }
  const unsigned long long parts[] = {
      (unsigned long long)status.st_dev,          (unsigned long long)status.st_ino,
      (unsigned long long)status.st_size,         (unsigned long long)status.st_mtim.tv_sec,
      (unsigned long long)status.st_mtim.tv_nsec, (unsigned long long)status.st_ctim.tv_sec,
      (unsigned long long)status.st_ctim.tv_nsec};
  unsigned long long hash = 14695981039346656037ULL;  // FNV-1a
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    hash = (hash ^ parts[i]) * 1099511628211ULL;
  }
  return hash;
}

// NULL after the mistakes have been given to `report`, line by line.
static struct configuration *load(const struct reload *reload, void (*report)(struct text line),
                                  bool *ret_unreadable) {
  struct buffer mistakes = {.max = (size_t)1 << 20};
  struct configuration *configuration =
      configuration_load(reload->config_path, &mistakes, ret_unreadable);
  struct text all = {mistakes.data, mistakes.len};
  for (size_t at = 0; configuration == NULL && at < all.len;) {
    size_t end = text_find(all, TEXT("\n"), at);
    report(text_slice(all, at, end));
    at = end + 1;
  }
  buffer_free(&mistakes);
  if (configuration == NULL) {
    return NULL;
  }
  struct error error;
  if (override_apply(configuration, reload->overrides, reload->override_count, &error) != 0) {
    report(text_of(error.text));
    configuration_free(configuration);
    return NULL;
  }
  return configuration;
}

static void report_on_stderr(struct text line) {
  fprintf(stderr, "rayfix: %.*s\n", TEXT_ARG(line));
}

static void report_in_log(struct text line) {
  log_fields(LOG_LEVEL_ERROR, "configuration mistake",
             (struct log_field[]){log_text("mistake", line)}, 1);
}

static void put_in_force(struct configuration *configuration) {
  log_configure(&configuration->settings.log);
  worker_publish(configuration);
  metrics_reloaded(METRICS_CONFIGURATION, true);
  readiness_set(READINESS_CONFIGURATION, true);
}

int reload_first_configuration(struct reload *reload, bool *ret_unreadable) {
  reload->config_stamp = file_stamp(reload->config_path);
  *ret_unreadable = false;
  struct configuration *configuration = load(reload, report_on_stderr, ret_unreadable);
  if (configuration == NULL) {
    return -1;
  }
  put_in_force(configuration);
  return 0;
}

// True if nothing that is only read at start differs.
static bool same_at_start(const struct settings *a, const struct settings *b) {
  return text_equals(a->server.bind_address, b->server.bind_address) &&
         text_equals(a->server.health_bind_address, b->server.health_bind_address) &&
         a->server.threads == b->server.threads && a->tls.min_version == b->tls.min_version &&
         a->limits.body.nano == b->limits.body.nano &&
         a->limits.bytes_in_flight.nano == b->limits.bytes_in_flight.nano &&
         a->limits.connections == b->limits.connections &&
         a->limits.request_timeout == b->limits.request_timeout &&
         a->limits.idle_timeout == b->limits.idle_timeout;
}

static void report_nowhere(struct text line) {
  (void)line;
}

static void reload_configuration(struct reload *reload, unsigned long long stamp) {
  bool again = reload->config_unreadable && stamp == reload->config_stamp;
  reload->config_stamp = stamp;
  struct configuration *configuration =
      load(reload, again ? report_nowhere : report_in_log, &reload->config_unreadable);
  if (configuration == NULL && again) {
    return;
  }
  if (configuration == NULL) {
    metrics_reloaded(METRICS_CONFIGURATION, false);
    log_message(LOG_LEVEL_ERROR, "configuration not reloaded, the old one stays in force");
    return;
  }
  if (!same_at_start(&configuration->settings, &worker_published()->settings)) {
    log_message(LOG_LEVEL_WARN,
                "server, limits and tls.minVersion have changed: they need a restart");
  }
  reload->config_unreadable = false;
  put_in_force(configuration);
  memory_settle();
  log_message(LOG_LEVEL_INFO, "configuration reloaded");
}

static const char *terminated(struct text text, char copy[PATH_TEXT_MAX]) {
  snprintf(copy, PATH_TEXT_MAX, "%.*s", TEXT_ARG(text));
  return copy;
}

static unsigned long long certificates_stamp(const struct tls_settings *tls) {
  char directory[PATH_TEXT_MAX];
  char client_ca[PATH_TEXT_MAX];
  unsigned long long stamp = certs_dir_stamp(terminated(tls->cert_dir, directory));
  return stamp ^ (file_stamp(terminated(tls->client_ca_file, client_ca)) << 1);
}

static int load_certificates(const struct tls_settings *tls, struct error *error) {
  char directory[PATH_TEXT_MAX];
  struct certs_pair *pair =
      certs_pair_load(terminated(tls->cert_dir, directory), &tls->dns_names, time(NULL), error);
  if (pair == NULL) {
    return -1;
  }
  struct tls_identity *identity = tls_identity_new(pair, tls->client_ca_file, error);
  if (identity != NULL) {
    metrics_certificate_expiry_set((int64_t)pair->not_after);
    metrics_reloaded(METRICS_CERTIFICATE, true);
    readiness_set_expiry((int64_t)pair->not_after);
    readiness_set(READINESS_CERTIFICATE, true);
    const struct log_field fields[] = {
        log_text("subject", text_of(pair->subject)), log_text("issuer", text_of(pair->issuer)),
        log_text("serial", text_of(pair->serial)), log_text("names", text_of(pair->names)),
        log_number("notAfter", (int64_t)pair->not_after)};
    log_fields(LOG_LEVEL_INFO, "certificate loaded", fields, sizeof fields / sizeof fields[0]);
    tls_set_current(identity);
  }
  certs_pair_free(pair);
  return identity == NULL ? -1 : 0;
}

int reload_first_certificates(struct reload *reload, struct error *error) {
  const struct tls_settings *tls = &worker_published()->settings.tls;
  char directory[PATH_TEXT_MAX];
  if (certs_dir_is_empty(terminated(tls->cert_dir, directory))) {
    struct certs_request request = {.dns_names = &tls->dns_names,
                                    .now = time(NULL),
                                    .ca_seconds = CA_SECONDS,
                                    .leaf_seconds = LEAF_SECONDS};
    if (certs_issue(directory, &request, error) != 0) {
      return -1;
    }
    log_fields(LOG_LEVEL_INFO, "certificates issued",
               (struct log_field[]){log_text("directory", tls->cert_dir)}, 1);
  }
  reload->certs_stamp = certificates_stamp(tls);
  return load_certificates(tls, error);
}

static void reload_certificates(struct reload *reload, unsigned long long stamp) {
  bool changed = stamp != reload->certs_stamp || !reload->certs_refused;
  reload->certs_stamp = stamp;
  struct error error;
  reload->certs_refused = load_certificates(&worker_published()->settings.tls, &error) != 0;
  if (!reload->certs_refused) {
    return;
  }
  metrics_reloaded(METRICS_CERTIFICATE, false);
  if (changed) {  // said once, not at every look
    log_fields(LOG_LEVEL_ERROR, "certificate not reloaded, the old one keeps serving",
               (struct log_field[]){log_text("reason", text_of(error.text))}, 1);
  }
}

void reload_look(struct reload *reload, bool force) {
  // Stamps are taken before the files are read: a change in between is seen the next time.
  unsigned long long stamp = file_stamp(reload->config_path);
  if (force || stamp != reload->config_stamp || reload->config_unreadable) {
    reload_configuration(reload, stamp);
  }
  stamp = certificates_stamp(&worker_published()->settings.tls);
  if (force || stamp != reload->certs_stamp || reload->certs_refused) {
    reload_certificates(reload, stamp);
  }
}
