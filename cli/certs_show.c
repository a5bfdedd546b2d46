#include <stdio.h>
#include <time.h>

#include "admission/buffer.h"
#include "certs/certs.h"
#include "cli/certs_flags.h"

#define DAY_SECONDS 86400L
#define JSON_MAX (64 * 1024)  // a description is about 2 kB, each of its texts has a fixed size

enum { OUTPUT_TEXT, OUTPUT_JSON };
static const char *const output_names[] = {[OUTPUT_TEXT] = "text", [OUTPUT_JSON] = "json", NULL};

static const struct flag flags[] = {
    CERTS_COMMON_FLAGS,
    {.letter = 'o',
     .name = "output",
     .kind = FLAG_NAME,
     .offset = offsetof(struct certs_flags, output),
     .names = output_names},
};

// Whole days from `now`; negative after the end.
static long long days_left(const struct certs_pair *pair, time_t now) {
  long long seconds = (long long)pair->not_after - (long long)now;
  long long days = seconds / DAY_SECONDS;
  return seconds < 0 && seconds % DAY_SECONDS != 0 ? days - 1 : days;
}

// `pair` is NULL when tls.crt holds no certificate, `reason` when it would be served.
static void show_text(const struct certs_pair *pair, const char *reason, time_t now) {
  if (pair != NULL) {
    printf("Subject:      %s\n", pair->subject);
    printf("Issuer:       %s\n", pair->issuer);
    printf("Serial:       %s\n", pair->serial);
    printf("Names:        %s\n", pair->names[0] == '\0' ? "none" : pair->names);
    printf("Not before:   %s\n", certs_date(pair->not_before).text);
    printf("Not after:    %s\n", certs_date(pair->not_after).text);
    printf("Days left:    %lld\n", days_left(pair, now));
    printf("Fingerprint:  sha256:%s\n", pair->fingerprint);
  }
  printf("Servable:     %s%s\n", reason == NULL ? "yes" : "no: ", reason == NULL ? "" : reason);
}

static void put_member(struct buffer *json, const char *key, const char *value) {
  buffer_printf(json, ",\n  \"%s\": ", key);
  buffer_append_json_string(json, text_of(value));
}

static void put_names(struct buffer *json, struct text names) {
  buffer_append_text(json, TEXT(",\n  \"names\": ["));
  for (size_t from = 0; from < names.len;) {
    size_t comma = text_find(names, TEXT(", "), from);
    buffer_append_text(json, from == 0 ? TEXT("") : TEXT(", "));
    buffer_append_json_string(json, text_slice(names, from, comma));
    from = comma + 2;
  }
  buffer_append_text(json, TEXT("]"));
}

static int show_json(const struct certs_pair *pair, const char *reason, time_t now) {
  buffer_auto json = {.max = JSON_MAX};
  buffer_printf(&json, "{\n  \"servable\": %s", reason == NULL ? "true" : "false");
  if (reason != NULL) {
    put_member(&json, "reason", reason);
  }
  if (pair != NULL) {
    put_member(&json, "subject", pair->subject);
    put_member(&json, "issuer", pair->issuer);
    put_member(&json, "serial", pair->serial);
    put_names(&json, text_of(pair->names));
    put_member(&json, "notBefore", certs_date(pair->not_before).text);
    put_member(&json, "notAfter", certs_date(pair->not_after).text);
    buffer_printf(&json, ",\n  \"daysLeft\": %lld", days_left(pair, now));
    put_member(&json, "sha256Fingerprint", pair->fingerprint);
  }
  buffer_append_text(&json, TEXT("\n}\n"));
  return !json.failed && fwrite(json.data, 1, json.len, stdout) == json.len ? 0 : -1;
}

static int show(const char *dir, const struct text_list *names, int output) {
  struct error error;
  if (certs_dir_check_readable(dir, &error) != 0) {
    return certs_fail(&verb_certs_show, EXIT_IO, "%s", error.text);
  }
  time_t now = time(NULL);
  struct certs_pair *pair = certs_pair_load(dir, names, now, &error);
  const char *reason = pair == NULL ? error.text : NULL;
  if (pair == NULL) {
    struct error ignored;  // then there is nothing to describe, and `reason` has said why
    pair = certs_pair_peek(dir, &ignored);
  }
  int printed = 0;
  if (output == OUTPUT_JSON) {
    printed = show_json(pair, reason, now);
  } else {
    show_text(pair, reason, now);
  }
  certs_pair_free(pair);
  if (printed != 0 || fflush(stdout) != 0) {
    return EXIT_IO;
  }
  return reason == NULL ? EXIT_FINE : EXIT_DENIED;
}

static int run(int argc, char **argv) {
  struct certs_flags given = {0};
  int code =
      flags_parse(&verb_certs_show, flags, sizeof flags / sizeof flags[0], &given, argc, argv);
  if (code == FLAGS_GO_ON) {
    struct text_list names = {NULL, 0};
    struct arena *arena = arena_new(CERTS_FLAGS_ARENA, CERTS_FLAGS_ARENA);
    code = arena == NULL ? certs_fail(&verb_certs_show, EXIT_IO, "no memory")
                         : certs_flags_resolve(&given, &verb_certs_show, false, arena, &names);
    if (code == EXIT_FINE) {
      code = show(given.cert_dir, &names, given.output);
    }
    arena_free(arena);
  }
  flag_texts_free(&given.dns_names);
  return code;
}

const struct verb verb_certs_show = {
    .name = "certs show",
    .summary = "Describe the serving certificate and say whether it would be served",
    .help =
        "Describe the serving certificate and say whether it would be served.\n"
        "\n"
        "Usage:\n"
        "  rayfix certs show [--cert-dir DIR] [--dns-name NAME]... [--service NAME -n NS]\n"
        "                    [-o text|json]\n"
        "\n"
        "Makes the checks that 'rayfix serve' makes: tls.key belongs to tls.crt, the chain leads\n"
        "to ca.crt, it is valid now, and it is good for the names that are given.\n"
        "\n"
        "Flags:\n"
        "      --cert-dir DIR   folder of the files (default: tls.certDir of\n"
        "                       'rayfix config defaults')\n"
        "      --dns-name NAME  DNS name or IP address it must be good for; may be repeated\n"
        "      --service NAME   Kubernetes Service; with --namespace the name NAME.NS.svc\n"
        "  -n, --namespace NS   namespace of the Service\n"
        "  -o, --output FORMAT  text or json (default text)\n"
        "  -h, --help           this text\n"
        "\n"
        "Exit codes: 0 would be served, 1 would not, 2 wrong flags, 3 files cannot be read.\n"
        "\n"
        "Example:\n"
        "  rayfix certs show --cert-dir certs -o json\n",
    .run = run,
};
