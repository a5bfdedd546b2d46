#pragma once

#include <stdbool.h>

#include "admission/arena.h"
#include "admission/text.h"
#include "cli/flags.h"

// What `rayfix certs issue` and `rayfix certs show` have in common: the folder and the names.

// Bytes that the names and the configuration's defaults may take.
#define CERTS_FLAGS_ARENA (64 * 1024)

struct certs_flags {
  const char *cert_dir;  // NULL: tls.certDir of the configuration's defaults
  struct flag_texts dns_names;
  const char *service;
  const char *namespace;
  const char *days;
  const char *ca_days;
  int output;
};

// The flags that both take, as rows for flags_parse().
#define CERTS_COMMON_FLAGS                                                                         \
  {.name = "cert-dir", .kind = FLAG_TEXT, .offset = offsetof(struct certs_flags, cert_dir)},       \
      {.name = "dns-name", .kind = FLAG_TEXTS, .offset = offsetof(struct certs_flags, dns_names)}, \
      {.name = "service", .kind = FLAG_TEXT, .offset = offsetof(struct certs_flags, service)}, {   \
    .letter = 'n', .name = "namespace", .kind = FLAG_TEXT,                                         \
    .offset = offsetof(struct certs_flags, namespace)                                              \
  }

// The folder, and the names that were asked for; the default of tls.dnsNames if none was and
// `default_names`. They live in `arena` or in argv.
// EXIT_FINE, or another exit code after a message.
int certs_flags_resolve(struct certs_flags *flags, const struct verb *verb, bool default_names,
                        struct arena *arena, struct text_list *ret_names);

// Says on stderr what is wrong. Returns `code`.
__attribute__((format(printf, 3, 4))) int certs_fail(const struct verb *verb, int code,
                                                     const char *format, ...);

extern const struct verb verb_certs_issue;
extern const struct verb verb_certs_show;
