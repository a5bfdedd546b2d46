#include "cli/version.h"

#include <curl/curl.h>
#include <gnutls/gnutls.h>
#include <jansson.h>
#include <microhttpd.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <yaml.h>
#include <yyjson.h>

#include "cli/flags.h"
#include "cli/verb.h"

extern const struct verb verb_version;

const char rayfix_version[] = RAYFIX_VERSION;

struct version_flags {
  int output;
};

enum { OUTPUT_TEXT, OUTPUT_JSON };
static const char *const output_names[] = {[OUTPUT_TEXT] = "text", [OUTPUT_JSON] = "json", NULL};

static const struct flag flags[] = {
    {.letter = 'o',
     .name = "output",
     .kind = FLAG_NAME,
     .offset = offsetof(struct version_flags, output),
     .names = output_names},
};

struct library {
  const char *name;
  const char *version;
};

#define LIBRARY_COUNT 7

// What is linked at run time, not what was there when this was compiled.
static void list_libraries(struct library libraries[LIBRARY_COUNT], char yyjson[32]) {
  uint32_t number = yyjson_version();
  snprintf(yyjson, 32, "%u.%u.%u", number >> 16, (number >> 8) & 0xFFU, number & 0xFFU);
  libraries[0] = (struct library){"libmicrohttpd", MHD_get_version()};
  libraries[1] = (struct library){"gnutls", gnutls_check_version(NULL)};
  libraries[2] = (struct library){"openssl", OpenSSL_version(OPENSSL_FULL_VERSION_STRING)};
  libraries[3] = (struct library){"yyjson", yyjson};
  libraries[4] = (struct library){"libyaml", yaml_get_version_string()};
  libraries[5] = (struct library){"libcurl", curl_version_info(CURLVERSION_NOW)->version};
  libraries[6] = (struct library){"jansson", jansson_version_str()};
}

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

static void print_text(const struct library *libraries) {
  printf("rayfix %s (commit %s)\n", RAYFIX_VERSION, RAYFIX_COMMIT);
  for (size_t i = 0; i < LIBRARY_COUNT; i++) {
    printf("  %-14s %s\n", libraries[i].name, libraries[i].version);
  }
  printf("  %-14s %s\n", "compiler", COMPILER);
}

// None of these strings has a character that JSON escapes.
static void print_json(const struct library *libraries) {
  printf("{\n  \"version\": \"%s\",\n  \"commit\": \"%s\",\n  \"compiler\": \"%s\",\n",
         RAYFIX_VERSION, RAYFIX_COMMIT, COMPILER);
  printf("  \"libraries\": {\n");
  for (size_t i = 0; i < LIBRARY_COUNT; i++) {
    printf("    \"%s\": \"%s\"%s\n", libraries[i].name, libraries[i].version,
           i + 1 < LIBRARY_COUNT ? "," : "");
  }
  printf("  }\n}\n");
}

static int run(int argc, char **argv) {
  struct version_flags given = {.output = OUTPUT_TEXT};
  int status =
      flags_parse(&verb_version, flags, sizeof flags / sizeof flags[0], &given, argc, argv);
  if (status != FLAGS_GO_ON) {
    return status;
  }
  char yyjson[32];
  struct library libraries[LIBRARY_COUNT];
  list_libraries(libraries, yyjson);
  if (given.output == OUTPUT_JSON) {
    print_json(libraries);
  } else {
    print_text(libraries);
  }
  return EXIT_FINE;
}

const struct verb verb_version = {
    .name = "version",
    .summary = "Print the version, the commit and the libraries",
    .help =
        "Prints the version of rayfix and of the libraries it runs with.\n"
        "\n"
        "Usage:\n"
        "  rayfix version [-o text|json]\n"
        "\n"
        "Flags:\n"
        "  -o, --output FORMAT  text (the default) or json\n"
        "  -h, --help           this text\n"
        "\n"
        "Example:\n"
        "  rayfix version -o json\n",
    .run = run,
};
