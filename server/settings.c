#include "server/settings.h"

#include <string.h>

#define ROWS(array) (array), sizeof(array) / sizeof((array)[0])
#define MINUTES(n) ((n)*60 * 1000LL)
#define HOURS(n) (60 * MINUTES(n))
#define YEARS(n) (365 * 24 * HOURS(n))

static const struct option server_options[] = {
    {.key = "bindAddress",
     .type = OPTION_STRING,
     .fallback = ":9443",
     .offset = offsetof(struct server_settings, bind_address),
     .help = "Where the API server connects, by TLS; also /livez and /readyz"},
    {.key = "healthBindAddress",
     .type = OPTION_STRING,
     .fallback = ":8080",
     .offset = offsetof(struct server_settings, health_bind_address),
     .help = "Plain HTTP for /livez, /readyz, /metrics and /version"},
    {.key = "threads",
     .type = OPTION_INT,
     .fallback = "0",
     .max = 256,
     .offset = offsetof(struct server_settings, threads),
     .help = "Threads that serve requests; 0 means one for each core"},
};

static const char *const tls_version_names[] = {"1.3", "1.2", NULL};

static const struct option tls_options[] = {
    {.key = "certDir",
     .type = OPTION_STRING,
     .fallback = "/var/lib/rayfix/certs",
     .offset = offsetof(struct tls_settings, cert_dir),
     .help = "Folder of tls.crt, tls.key and ca.crt; issued there when it is empty"},
    {.key = "minVersion",
     .type = OPTION_ENUM,
     .names = tls_version_names,
     .fallback = "1.3",
     .offset = offsetof(struct tls_settings, min_version),
     .help = "The oldest TLS version that is accepted"},
    {.key = "dnsNames",
     .type = OPTION_STRINGS,
     .fallback = "rayfix.rayfix-system.svc",
     .offset = offsetof(struct tls_settings, dns_names),
     .help = "Names that the certificate must be good for: <service>.<namespace>.svc"},
    {.key = "clientCAFile",
     .type = OPTION_STRING,
     .fallback = "",
     .offset = offsetof(struct tls_settings, client_ca_file),
     .help = "Reviews need a client certificate of this CA; empty asks for none"},
    {.key = "clientNames",
     .type = OPTION_STRINGS,
     .fallback = "",
     .offset = offsetof(struct tls_settings, client_names),
     .help = "Subject names allowed with clientCAFile; empty allows every name"},
    {.key = "reloadInterval",
     .type = OPTION_DURATION,
     .fallback = "10s",
     .min = 10,
     .max = MINUTES(60),
     .offset = offsetof(struct tls_settings, reload_interval),
     .help = "How often certificate and configuration files are looked at"},
};

static const char *const certificate_source_names[] = {"directory", "secret", NULL};

static const struct option certificate_options[] = {
    {.key = "source",
     .type = OPTION_ENUM,
     .names = certificate_source_names,
     .fallback = "directory",
     .offset = offsetof(struct certificate_settings, source),
     .help = "directory: tls.certDir, without asking any API; secret: renewed in a Secret"},
    {.key = "namespace",
     .type = OPTION_STRING,
     .fallback = "",
     .offset = offsetof(struct certificate_settings, namespace_),
     .help = "Of the Secret and the Service; empty means the pod's own"},
    {.key = "secret",
     .type = OPTION_STRING,
     .fallback = "rayfix-certificates",
     .offset = offsetof(struct certificate_settings, secret),
     .help = "The Secret that holds CA and certificate, made by the first replica"},
    {.key = "service",
     .type = OPTION_STRING,
     .fallback = "rayfix",
     .offset = offsetof(struct certificate_settings, service),
     .help = "The Service that the API server calls; the certificate is for its DNS names"},
    {.key = "webhooks",
     .type = OPTION_STRING,
     .fallback = "rayfix",
     .offset = offsetof(struct certificate_settings, webhooks),
     .help = "Name of both webhook configurations, whose caBundle is written"},
    {.key = "accountDir",
     .type = OPTION_STRING,
     .fallback = "/var/run/secrets/kubernetes.io/serviceaccount",
     .offset = offsetof(struct certificate_settings, account_dir),
     .help = "Where token, ca.crt and namespace of the service account are mounted"},
    {.key = "caLifetime",
     .type = OPTION_DURATION,
     .fallback = "8760h",
     .min = 1000,
     .max = YEARS(30),
     .offset = offsetof(struct certificate_settings, ca_lifetime),
     .help = "How long a CA is valid"},
    {.key = "caRenewBefore",
     .type = OPTION_DURATION,
     .fallback = "0s",
     .max = YEARS(30),
     .offset = offsetof(struct certificate_settings, ca_renew_before),
     .help = "How long before its end a CA is changed; 0s means a third of its life"},
    {.key = "leafLifetime",
     .type = OPTION_DURATION,
     .fallback = "2160h",
     .min = 1000,
     .max = YEARS(30),
     .offset = offsetof(struct certificate_settings, leaf_lifetime),
     .help = "How long a serving certificate is valid, but never longer than its CA"},
    {.key = "leafRenewBefore",
     .type = OPTION_DURATION,
     .fallback = "0s",
     .max = YEARS(30),
     .offset = offsetof(struct certificate_settings, leaf_renew_before),
     .help = "How long before its end it is renewed; 0s means a third of its life"},
    {.key = "settle",
     .type = OPTION_DURATION,
     .fallback = "60s",
     .max = MINUTES(60),
     .offset = offsetof(struct certificate_settings, settle),
     .help = "From reading a caBundle back until every API server is taken to use it"},
    {.key = "resync",
     .type = OPTION_DURATION,
     .fallback = "5m",
     .min = 10,
     .max = HOURS(24),
     .offset = offsetof(struct certificate_settings, resync),
     .help = "How often Secret and caBundle are looked at, besides being watched"},
};

static const struct option limit_options[] = {
    {.key = "body",
     .type = OPTION_QUANTITY,
     .fallback = "32Mi",
     .min = 1024,
     .max = 32LL << 20,
     .offset = offsetof(struct limit_settings, body),
     .help = "Largest request body; the API server sends up to about 27 MB"},
    {.key = "bytesInFlight",
     .type = OPTION_QUANTITY,
     .fallback = "96Mi",
     .min = 1 << 20,
     .max = 8LL << 30,
     .offset = offsetof(struct limit_settings, bytes_in_flight),
     .help = "All request bodies together; beyond it new requests are shed with 503"},
    {.key = "connections",
     .type = OPTION_INT,
     .fallback = "4096",
     .min = 16,
     .max = 65536,
     .offset = offsetof(struct limit_settings, connections),
     .help = "Open TLS connections"},
    {.key = "requestTimeout",
     .type = OPTION_DURATION,
     .fallback = "10s",
     .min = 100,
     .max = MINUTES(5),
     .offset = offsetof(struct limit_settings, request_timeout),
     .help = "From the first byte of a request, or a new connection, to the request's last byte"},
    {.key = "idleTimeout",
     .type = OPTION_DURATION,
     .fallback = "120s",
     .min = 1000,
     .max = MINUTES(60),
     .offset = offsetof(struct limit_settings, idle_timeout),
     .help = "Between requests; above 90s, so that the API server closes first"},
};

static const struct option shutdown_options[] = {
    {.key = "delay",
     .type = OPTION_DURATION,
     .fallback = "10s",
     .max = MINUTES(5),
     .offset = offsetof(struct shutdown_settings, delay),
     .help = "Keep serving, with Connection: close, after readiness has failed"},
    {.key = "timeout",
     .type = OPTION_DURATION,
     .fallback = "10s",
     .max = MINUTES(5),
     .offset = offsetof(struct shutdown_settings, timeout),
     .help = "Then finish the requests that have been read"},
};

static const char *const log_format_names[] = {"json", "text", NULL};
static const char *const log_level_names[] = {"error", "warn", "info", "debug", NULL};

static const struct option log_options[] = {
    {.key = "format",
     .type = OPTION_ENUM,
     .names = log_format_names,
     .fallback = "json",
     .offset = offsetof(struct log_settings, format),
     .help = "Form of the lines on stderr"},
    {.key = "level",
     .type = OPTION_ENUM,
     .names = log_level_names,
     .fallback = "info",
     .offset = offsetof(struct log_settings, level),
     .help = "The least important level written"},
    {.key = "decisions",
     .type = OPTION_ENUM,
     .names = log_level_names,
     .fallback = "info",
     .offset = offsetof(struct log_settings, decisions),
     .help = "Level of the line that each admission decision writes; denials are at least info"},
};

const struct settings_section settings_sections[] = {
    {"server", "Addresses and threads", ROWS(server_options), offsetof(struct settings, server)},
    {"tls", "Certificates and TLS", ROWS(tls_options), offsetof(struct settings, tls)},
    {"certificates", "Certificates in a Secret that renew themselves", ROWS(certificate_options),
     offsetof(struct settings, certificates)},
    {"limits", "What a client may ask for", ROWS(limit_options), offsetof(struct settings, limits)},
    {"shutdown", "How the server ends", ROWS(shutdown_options),
     offsetof(struct settings, shutdown)},
    {"log", "Lines on stderr", ROWS(log_options), offsetof(struct settings, log)},
};
const size_t settings_section_count = sizeof settings_sections / sizeof settings_sections[0];

static const size_t section_sizes[] = {
    sizeof(struct server_settings),      sizeof(struct tls_settings),
    sizeof(struct certificate_settings), sizeof(struct limit_settings),
    sizeof(struct shutdown_settings),    sizeof(struct log_settings),
};

int settings_defaults(struct settings *settings, struct arena *arena, struct error *error) {
  for (size_t i = 0; i < settings_section_count; i++) {
    const struct settings_section *section = &settings_sections[i];
    void *defaults =
        options_defaults(section->options, section->option_count, section_sizes[i], arena, error);
    if (defaults == NULL) {
      return -1;
    }
    memcpy((char *)settings + section->offset, defaults, section_sizes[i]);
  }
  return 0;
}
