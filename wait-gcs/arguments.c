#include "wait-gcs/arguments.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char arguments_help[] =
    "Usage: wait-gcs HOST:PORT [--mode=h2|tcp|tls|auto] [--timeout=SECONDS]\n"
    "\n"
    "Waits until the GCS of a Ray head answers.\n"
    "\n"
    "  --mode=h2    it speaks HTTP/2 first, as gRPC without TLS does (the default)\n"
    "  --mode=tcp   it accepts the connection\n"
    "  --mode=tls   it answers a TLS ClientHello\n"
    "  --mode=auto  h2, and tls if nothing comes for 2 s\n"
    "  --timeout=N  give up after N seconds (30, 30s, 5m, 1h); 0, the default: never\n"
    "\n"
    "Exit codes: 0 ready, 1 timed out, 2 bad arguments, 143 on SIGTERM, 130 on SIGINT.\n"
    "\n"
    "Example: wait-gcs raycluster-head-svc.team-a.svc.cluster.local:6379 --mode=auto\n";

static int wrong(const char *what, const char *wanted) {
  fprintf(stderr, "wait-gcs: %s: %s\n", what, wanted);
  return -1;
}

static bool copy(char *target, size_t size, const char *text, size_t length) {
  if (length == 0 || length >= size) {
    return false;
  }
  memcpy(target, text, length);
  target[length] = '\0';
  return true;
}

static bool is_port(const char *text) {
  char *end = NULL;
  errno = 0;
  unsigned long port = strtoul(text, &end, 10);
  return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && port > 0 &&
         port <= 65535;
}

static int read_address(struct arguments *arguments, const char *text) {
  const char *colon = strrchr(text, ':');
  if (colon == NULL || !copy(arguments->address, sizeof arguments->address, text, strlen(text))) {
    return wrong(text, "want HOST:PORT");
  }
  if (!is_port(colon + 1) ||
      !copy(arguments->port, sizeof arguments->port, colon + 1, strlen(colon + 1))) {
    return wrong(text, "want a port from 1 to 65535 after the last colon");
  }
  size_t length = (size_t)(colon - text);
  bool brackets = length >= 2 && text[0] == '[' && colon[-1] == ']';
  const char *host = brackets ? text + 1 : text;
  length -= brackets ? 2 : 0;
  if (!brackets && (text[0] == '[' || memchr(host, ':', length) != NULL)) {
    return wrong(text, "an IPv6 address stands in brackets: [::1]:6379");
  }
  if (!copy(arguments->host, sizeof arguments->host, host, length)) {
    return wrong(text, "want a host of 1 to 253 characters");
  }
  return 0;
}

static int read_mode(struct arguments *arguments, const char *text) {
  static const struct {
    const char *name;
    enum wait_mode mode;
  } modes[] = {{"tcp", WAIT_TCP}, {"h2", WAIT_H2}, {"tls", WAIT_TLS}, {"auto", WAIT_AUTO}};
  for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
    if (strcmp(text, modes[i].name) == 0) {
      arguments->mode = modes[i].mode;
      return 0;
    }
  }
  fprintf(stderr, "wait-gcs: --mode=%s: want tcp, h2, tls or auto\n", text);
  return -1;
}

static int read_timeout(struct arguments *arguments, const char *text) {
  char *unit = NULL;
  errno = 0;
  long count = strtol(text, &unit, 10);
  long seconds = 1;
  if (*unit == 'm' || *unit == 'h') {
    seconds = *unit == 'm' ? 60 : 3600;
  }
  if (*unit == 's' || *unit == 'm' || *unit == 'h') {
    unit++;
  }
  // An int of milliseconds: no wait is longer than 24 days.
  if (text[0] < '0' || text[0] > '9' || *unit != '\0' || errno != 0 ||
      count > INT_MAX / 1000 / seconds) {
    fprintf(stderr, "wait-gcs: --timeout=%s: want a number of seconds: 30, 30s, 5m, 1h\n", text);
    return -1;
  }
  arguments->timeout = count * seconds;
  return 0;
}

static int read_option(struct arguments *arguments, int option, const char *given) {
  switch (option) {
    case 'm':
      return read_mode(arguments, optarg);
    case 't':
      return read_timeout(arguments, optarg);
    case 'h':
      arguments->help = true;
      return 0;
    case ':':
      return wrong(given, "needs a value");
    default: {
      const char letter[] = {'-', (char)optopt, '\0'};  // 0: a long option
      return wrong(optopt == 0 ? given : letter, "no such option; wait-gcs -h lists them");
    }
  }
}

int arguments_read(struct arguments *arguments, int argc, char **argv) {
  static const struct option options[] = {{"mode", required_argument, NULL, 'm'},
                                          {"timeout", required_argument, NULL, 't'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
  *arguments = (struct arguments){.mode = WAIT_H2};
  opterr = 0;
  optind = 0;  // of both glibc and musl this forgets what was read before
  int option = 0;
  while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
    if (read_option(arguments, option, argv[optind - 1]) != 0) {
      return -1;
    }
  }
  if (arguments->help) {
    return 0;
  }
  if (argc - optind != 1) {
    return wrong("arguments", "want one HOST:PORT; wait-gcs -h explains");
  }
  return read_address(arguments, argv[optind]);
}
