#include <stdio.h>

#include "admission/text.h"
#include "cli/certs_flags.h"

extern const struct verb verb_certs;

static int print_help(void) {
  return fputs(verb_certs.help, stdout) >= 0 && fflush(stdout) == 0 ? EXIT_FINE : EXIT_IO;
}

static int run(int argc, char **argv) {
  struct text word = text_of(argc > 1 ? argv[1] : NULL);
  if (text_equals(word, TEXT("issue"))) {
    return verb_certs_issue.run(argc - 1, argv + 1);
  }
  if (text_equals(word, TEXT("show"))) {
    return verb_certs_show.run(argc - 1, argv + 1);
  }
  if (text_equals(word, TEXT("-h")) || text_equals(word, TEXT("--help"))) {
    return print_help();
  }
  if (word.len == 0) {
    return certs_fail(&verb_certs, EXIT_USAGE, "wanted issue or show; see 'rayfix certs -h'");
  }
  return certs_fail(&verb_certs, EXIT_USAGE,
                    "\"%s\" is neither issue nor show; see 'rayfix certs "
                    "-h'",
                    word.data);
}

const struct verb verb_certs = {
    .name = "certs",
    .summary = "Issue and look at serving certificates",
    .help =
        "Issue and look at serving certificates.\n"
        "\n"
        "Usage:\n"
        "  rayfix certs issue [flags]  issue a serving certificate, and a CA if there is none\n"
        "  rayfix certs show [flags]   describe it and say whether it would be served\n"
        "\n"
        "'rayfix certs issue -h' and 'rayfix certs show -h' list the flags.\n"
        "\n"
        "Example:\n"
        "  rayfix certs issue --cert-dir certs --service rayfix --namespace rayfix-system\n"
        "  rayfix certs show --cert-dir certs -o json\n",
    .run = run,
};
