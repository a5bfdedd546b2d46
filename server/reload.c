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

// A folder that cannot be written now.
#define RENEWAL_RETRY_SECONDS 3600

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

// Lifetimes are read at each look; where certificates are is not.
static bool same_source(const struct certificate_settings *a,
                        const struct certificate_settings *b) {
  return a->source == b->source && text_equals(a->namespace_, b->namespace_) &&
         text_equals(a->secret, b->secret) && text_equals(a->webhooks, b->webhooks) &&
         text_equals(a->account_dir, b->account_dir);
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
  if (!same_source(&configuration->settings.certificates,
                   &worker_published()->settings.certificates)) {
    log_message(LOG_LEVEL_WARN, "where certificates are has changed: it needs a restart");
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

unsigned long long reload_file_stamp(struct text path) {
  char copy[PATH_TEXT_MAX];
  return file_stamp(terminated(path, copy));
}

static unsigned long long certificates_stamp(const struct tls_settings *tls) {
  char directory[PATH_TEXT_MAX];
  unsigned long long stamp = certs_dir_stamp(terminated(tls->cert_dir, directory));
  return stamp ^ (reload_file_stamp(tls->client_ca_file) << 1);
}

int reload_put_certificate_in_force(const struct certs_pair *pair, struct text client_ca_file,
                                    struct error *error) {
  struct tls_identity *identity = tls_identity_new(pair, client_ca_file, error);
  if (identity == NULL) {
    return -1;
  }
  metrics_certificate_expiry_set((int64_t)pair->not_after);
  metrics_reloaded(METRICS_CERTIFICATE, true);
  readiness_set_expiry((int64_t)pair->not_after);
  const struct log_field fields[] = {
      log_text("subject", text_of(pair->subject)), log_text("issuer", text_of(pair->issuer)),
      log_text("serial", text_of(pair->serial)), log_text("names", text_of(pair->names)),
      log_number("notAfter", (int64_t)pair->not_after)};
  log_fields(LOG_LEVEL_INFO, "certificate loaded", fields, sizeof fields / sizeof fields[0]);
  tls_set_current(identity);
  readiness_set(READINESS_CERTIFICATE, true);
  return 0;
}

static int load_certificates(struct reload *reload, struct error *error) {
  const struct tls_settings *tls = &worker_published()->settings.tls;
  char directory[PATH_TEXT_MAX];
  terminated(tls->cert_dir, directory);
  struct certs_pair *pair = certs_pair_load(directory, &tls->dns_names, time(NULL), error);
  if (pair == NULL) {
    return -1;
  }
  int result = reload_put_certificate_in_force(pair, tls->client_ca_file, error);
  if (result == 0) {
    bool ours = certs_dir_is_self_issued(directory, pair);
    reload->renewal = ours ? pair->not_after - (pair->not_after - pair->not_before) / 3 : 0;
  }
  certs_pair_free(pair);
  return result;
}

static int issue(const struct tls_settings *tls, struct error *error) {
  char directory[PATH_TEXT_MAX];
  const struct certs_request request = {.dns_names = &tls->dns_names,
                                        .now = time(NULL),
                                        .ca_seconds = CA_SECONDS,
                                        .leaf_seconds = LEAF_SECONDS};
  if (certs_issue(terminated(tls->cert_dir, directory), &request, error) != 0) {
    return -1;
  }
  log_fields(LOG_LEVEL_INFO, "certificates issued",
             (struct log_field[]){log_text("directory", tls->cert_dir)}, 1);
  return 0;
}

int reload_first_certificates(struct reload *reload, struct error *error) {
  const struct tls_settings *tls = &worker_published()->settings.tls;
  char directory[PATH_TEXT_MAX];
  reload->certs_from_files = true;
  terminated(tls->cert_dir, directory);
  if (certs_dir_is_empty(directory) && issue(tls, error) != 0) {
    return -1;
  }
  reload->certs_stamp = certificates_stamp(tls);
  if (load_certificates(reload, error) == 0) {
    return 0;
  }
  if (!certs_pair_is_untimely(directory, &tls->dns_names, time(NULL))) {
    return -1;
  }
  reload->certs_refused = true;
  readiness_fail(READINESS_CERTIFICATE, error->text);
  log_fields(LOG_LEVEL_ERROR, "certificate not loaded, waiting for one",
             (struct log_field[]){log_text("reason", text_of(error->text))}, 1);
  return 0;
}

static void reload_certificates(struct reload *reload, unsigned long long stamp) {
  bool changed = stamp != reload->certs_stamp || !reload->certs_refused;
  reload->certs_stamp = stamp;
  struct error error;
  reload->certs_refused = load_certificates(reload, &error) != 0;
  if (!reload->certs_refused) {
    return;
  }
  metrics_reloaded(METRICS_CERTIFICATE, false);
  if (changed) {  // said once, not at every look
    log_fields(LOG_LEVEL_ERROR, "certificate not reloaded, the old one keeps serving",
               (struct log_field[]){log_text("reason", text_of(error.text))}, 1);
  }
}

// What was issued here is issued anew before it expires (protocol §5: at a third of its life left).
static void renew(struct reload *reload) {
  if (reload->renewal == 0 || time(NULL) < reload->renewal) {
    return;
  }
  struct error error;
  if (issue(&worker_published()->settings.tls, &error) != 0) {
    reload->renewal = time(NULL) + RENEWAL_RETRY_SECONDS;
    log_fields(LOG_LEVEL_ERROR, "certificates not issued anew",
               (struct log_field[]){log_text("reason", text_of(error.text))}, 1);
  }
}

void reload_look(struct reload *reload, bool force) {
  // Stamps are taken before the files are read: a change in between is seen the next time.
  unsigned long long stamp = file_stamp(reload->config_path);
  if (force || stamp != reload->config_stamp || reload->config_unreadable) {
    reload_configuration(reload, stamp);
  }
  if (!reload->certs_from_files) {
    return;
  }
  renew(reload);
  stamp = certificates_stamp(&worker_published()->settings.tls);
  if (force || stamp != reload->certs_stamp || reload->certs_refused) {
    reload_certificates(reload, stamp);
  }
}
