#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "certs/certs.h"
#include "cli/certs_flags.h"

#define DAY_SECONDS 86400L
#define DAYS_MAX 36500  // a century: the format can do more, but more is a slip of the finger

static const struct flag flags[] = {
    CERTS_COMMON_FLAGS,
    {.name = "days", .kind = FLAG_TEXT, .offset = offsetof(struct certs_flags, days)},
    {.name = "ca-days", .kind = FLAG_TEXT, .offset = offsetof(struct certs_flags, ca_days)},
};

static int read_days(const char *flag, const char *value, long *ret_seconds) {
  unsigned long long days = 0;
  if (!text_to_unsigned(text_of(value), DAYS_MAX, &days) || days == 0) {
    return certs_fail(&verb_certs_issue, EXIT_USAGE, "%s: \"%s\" is no number of days from 1 to %d",
                      flag, value, DAYS_MAX);
  }
  *ret_seconds = (long)days * DAY_SECONDS;
  return EXIT_FINE;
}

// Every writing is a rename, so a file that was replaced has another inode.
static ino_t ca_inode(const char *dir) {
  char path[PATH_MAX];
  struct stat status;
  snprintf(path, sizeof path, "%s/%s", dir, CERTS_CA_FILE);
  return stat(path, &status) == 0 ? status.st_ino : 0;
}

static int print_issued(const char *dir, bool ca_is_new, const struct certs_pair *pair) {
  const char *verb = ca_is_new ? "wrote" : "kept ";
  printf("%s %s/%s\n", verb, dir, CERTS_CA_KEY_FILE);
  printf("%s %s/%s: %s\n", verb, dir, CERTS_CA_FILE, pair->issuer);
  printf("wrote %s/%s\n", dir, CERTS_KEY_FILE);
  printf("wrote %s/%s: valid until %s for %s\n", dir, CERTS_CHAIN_FILE,
         certs_date(pair->not_after).text, pair->names);
  return fflush(stdout) == 0 ? EXIT_FINE : EXIT_IO;
}

static int issue(const char *dir, const struct certs_request *request) {
  struct error error;
  ino_t before = ca_inode(dir);
  if (certs_issue(dir, request, &error) != 0) {
    return certs_fail(&verb_certs_issue, EXIT_IO, "%s", error.text);
  }
  struct certs_pair *pair = certs_pair_load(dir, request->dns_names, request->now, &error);
  if (pair == NULL) {
    return certs_fail(&verb_certs_issue, EXIT_IO, "%s", error.text);
  }
  if (request->leaf_seconds > request->ca_seconds) {
    certs_fail(&verb_certs_issue, 0,
               "cut to the %ld days of --ca-days: no certificate may outlive "
               "its CA",
               request->ca_seconds / DAY_SECONDS);
  }
  int code = print_issued(dir, before != ca_inode(dir), pair);
  certs_pair_free(pair);
  return code;
}

static int run_in(struct arena *arena, struct certs_flags *given) {
  struct text_list names = {NULL, 0};
  struct certs_request request = {.dns_names = &names, .now = time(NULL)};
  int code = certs_flags_resolve(given, &verb_certs_issue, true, arena, &names);
  if (code == EXIT_FINE) {
    code = read_days("--days", given->days, &request.leaf_seconds);
  }
  if (code == EXIT_FINE) {
    code = read_days("--ca-days", given->ca_days, &request.ca_seconds);
  }
  return code == EXIT_FINE ? issue(given->cert_dir, &request) : code;
}

static int run(int argc, char **argv) {
  struct certs_flags given = {.days = "365", .ca_days = "3650"};
  int code =
      flags_parse(&verb_certs_issue, flags, sizeof flags / sizeof flags[0], &given, argc, argv);
  if (code == FLAGS_GO_ON) {
    struct arena *arena = arena_new(CERTS_FLAGS_ARENA, CERTS_FLAGS_ARENA);
    code =
        arena == NULL ? certs_fail(&verb_certs_issue, EXIT_IO, "no memory") : run_in(arena, &given);
    arena_free(arena);
  }
  flag_texts_free(&given.dns_names);
  return code;
}

const struct verb verb_certs_issue = {
    .name = "certs issue",
    .summary = "Issue a serving certificate, and a CA if there is none",
    .help =
        "Issue a serving certificate, and a CA if there is none that outlives it.\n"
        "\n"
        "Usage:\n"
        "  rayfix certs issue [--cert-dir DIR] [--dns-name NAME]... [--service NAME -n NS]\n"
        "                     [--days N] [--ca-days N]\n"
        "\n"
        "Writes tls.crt and tls.key, signed by the CA in ca.crt and ca.key, and prints what it\n"
        "wrote. A CA that it did not make itself is never overwritten.\n"
        "\n"
        "Flags:\n"
        "      --cert-dir DIR   folder of the files, made if missing (default: tls.certDir of\n"
        "                       'rayfix config defaults')\n"
        "      --dns-name NAME  DNS name or IP address; may be repeated. localhost, 127.0.0.1\n"
        "                       and ::1 are always in it. Without any name: tls.dnsNames\n"
        "                       of 'rayfix config defaults'\n"
        "      --service NAME   Kubernetes Service; with --namespace the name NAME.NS.svc\n"
        "  -n, --namespace NS   namespace of the Service\n"
        "      --days N         life of the certificate (default 365, no more than the CA's)\n"
        "      --ca-days N      life of a new CA (default 3650)\n"
        "  -h, --help           this text\n"
        "\n"
        "Exit codes: 0 issued, 2 wrong flags, 3 files cannot be read or written.\n"
        "\n"
        "Example:\n"
        "  rayfix certs issue --cert-dir certs --service rayfix --namespace rayfix-system\n",
    .run = run,
};
