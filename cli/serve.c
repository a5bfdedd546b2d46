#include <stddef.h>

#include "cli/flags.h"
#include "cli/verb.h"
#include "server/server.h"

extern const struct verb verb_serve;

static const char help[] =
    "Serve admission reviews over TLS: POST /mutate and POST /validate, and for probes /livez and\n"
    "/readyz; on a plain port these, /metrics and /version. Flags win over the configuration\n"
    "file.\n"
    "\n"
    "Usage:\n"
    "  rayfix serve [flags]\n"
    "\n"
    "Flags:\n"
    "      --config FILE               configuration; without it the defaults\n"
    "      --bind-address ADDR         where the API server connects, by TLS (\":9443\")\n"
    "      --health-bind-address ADDR  plain port for probes and metrics (\":8080\")\n"
    "      --cert-dir DIR              tls.crt, tls.key and ca.crt; issued there if it is empty\n"
    "      --log-format FORMAT         json or text\n"
    "      --log-level LEVEL           error, warn, info or debug\n"
    "  -h, --help                      this text\n"
    "\n"
    "Once it listens it prints its addresses on stdout, with the port chosen for a port 0.\n"
    "SIGTERM and SIGINT drain and stop it; SIGHUP reads its files again.\n"
    "\n"
    "Example:\n"
    "  rayfix serve --bind-address 127.0.0.1:9443 --health-bind-address 127.0.0.1:8080 \\\n"
    "    --cert-dir /tmp/rayfix-certs\n";

// Flags that are settings.
#define SETTABLE 5

struct serve_flags {
  const char *config;
  const char *settings[SETTABLE];  // in the order of `settable`; NULL: not given
};

static const struct override settable[SETTABLE] = {
    {"server", "bindAddress", {NULL, 0}}, {"server", "healthBindAddress", {NULL, 0}},
    {"tls", "certDir", {NULL, 0}},        {"log", "format", {NULL, 0}},
    {"log", "level", {NULL, 0}},
};

#define SETTING(index) (offsetof(struct serve_flags, settings) + (index) * sizeof(char *))

static const struct flag flags[] = {
    {0, "config", FLAG_TEXT, offsetof(struct serve_flags, config), NULL},
    {0, "bind-address", FLAG_TEXT, SETTING(0), NULL},
    {0, "health-bind-address", FLAG_TEXT, SETTING(1), NULL},
    {0, "cert-dir", FLAG_TEXT, SETTING(2), NULL},
    {0, "log-format", FLAG_TEXT, SETTING(3), NULL},
    {0, "log-level", FLAG_TEXT, SETTING(4), NULL},
};

static int exit_code(enum server_end end) {
  switch (end) {
    case SERVER_STOPPED:
      return EXIT_FINE;
    case SERVER_CUT_SHORT:
      return EXIT_DENIED;
    case SERVER_BAD_CONFIGURATION:
      return EXIT_USAGE;
    case SERVER_IO_ERROR:
      return EXIT_IO;
  }
  return EXIT_IO;
}

static int run(int argc, char **argv) {
  struct serve_flags given = {0};
  int code = flags_parse(&verb_serve, flags, sizeof flags / sizeof flags[0], &given, argc, argv);
  if (code != FLAGS_GO_ON) {
    return code;
  }
  struct override overrides[SETTABLE];
  size_t count = 0;
  for (size_t i = 0; i < SETTABLE; i++) {
    if (given.settings[i] != NULL) {
      overrides[count] = settable[i];
      overrides[count++].value = text_of(given.settings[i]);
    }
  }
  return exit_code(server_run(given.config, overrides, count));
}

const struct verb verb_serve = {
    .name = "serve",
    .summary = "Serve admission reviews over TLS",
    .help = help,
    .run = run,
};
