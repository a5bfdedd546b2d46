#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admission/option.h"
#include "admission/quantity.h"
#include "admission/text.h"

// How the server runs: one struct for each section of the configuration file, described by option
// rows from which the file is read, the defaults are printed and the schema is written.
// Durations are in milliseconds.

struct server_settings {
  struct text bind_address;         // TLS, for the API server: "host:port", ":9443", "[::1]:0"
  struct text health_bind_address;  // plain, for probes and metrics
  int64_t threads;                  // 0: one for each core
};

enum tls_version { TLS_1_3, TLS_1_2 };

struct tls_settings {
  struct text cert_dir;           // tls.crt, tls.key, ca.crt
  int min_version;                // enum tls_version
  struct text_list dns_names;     // the certificate must be good for these; self-issued with them
  struct text client_ca_file;     // empty: no client certificates are asked for
  struct text_list client_names;  // subject CNs or DNS SANs allowed; empty: any from that CA
  int64_t reload_interval;        // how often files are looked at
};

enum certificate_source { CERTIFICATES_DIRECTORY, CERTIFICATES_SECRET };

struct certificate_settings {
  int source;               // enum certificate_source
  struct text namespace_;   // of Secret and Service; empty: the pod's own
  struct text secret;       // name of the Secret
  struct text service;      // name of the Service, from which the DNS names follow
  struct text webhooks;     // name of both webhook configurations
  struct text account_dir;  // token, ca.crt and namespace of the service account
  int64_t ca_lifetime;
  int64_t ca_renew_before;  // 0: a third of the lifetime
  int64_t leaf_lifetime;
  int64_t leaf_renew_before;  // 0: a third of the lifetime
  int64_t settle;             // from reading a bundle back until every API server uses it
  int64_t resync;             // how often everything is looked at, besides watching
};

struct limit_settings {
  struct quantity body;             // one request body, bytes
  struct quantity bytes_in_flight;  // all bodies being read or judged
  int64_t connections;              // open TLS connections
  int64_t request_timeout;          // first byte of a connection or request to its last
  int64_t idle_timeout;             // between requests; above the API server's 90 s
};

struct shutdown_settings {
  int64_t delay;    // keep serving with `Connection: close` after readiness has failed
  int64_t timeout;  // then let requests that were read finish
};

enum log_format { LOG_JSON, LOG_TEXT };
enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log_settings {
  int format;     // enum log_format
  int level;      // enum log_level: what is written at all
  int decisions;  // enum log_level: the level of "allowed, nothing changed" lines
};

struct settings {
  struct server_settings server;
  struct tls_settings tls;
  struct certificate_settings certificates;
  struct limit_settings limits;
  struct shutdown_settings shutdown;
  struct log_settings log;
};

// A section of the configuration file: its key, its rows, and where its struct is in `settings`.
struct settings_section {
  const char *key;
  const char *help;
  const struct option *options;
  size_t option_count;
  size_t offset;
};

extern const struct settings_section settings_sections[];
extern const size_t settings_section_count;

// Puts every default into *settings; strings live in `arena`. 0, or -1 when memory is short.
int settings_defaults(struct settings *settings, struct arena *arena, struct error *error);
