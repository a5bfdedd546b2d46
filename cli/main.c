#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/suggest.h"
#include "cli/verb.h"

// More verbs than there will be.
#define VERBS_MAX 32

static const struct verb *find_verb(const char *name) {
  for (size_t i = 0; verbs[i] != NULL; i++) {
    if (strcmp(verbs[i]->name, name) == 0) {
      return verbs[i];
    }
  }
  return NULL;
}

static void print_verbs(FILE *out) {
  fputs(
      "rayfix fixes and judges Ray pods: an admission webhook server for Kubernetes.\n\n"
      "Usage:\n  rayfix VERB [FLAGS]\n\nVerbs:\n",
      out);
  for (size_t i = 0; verbs[i] != NULL; i++) {
    fprintf(out, "  %-8s  %s\n", verbs[i]->name, verbs[i]->summary);
  }
  fputs("\n'rayfix VERB -h' shows the flags of a verb and an example.\n", out);
}

static int unknown_verb(const char *name) {
  const char *names[VERBS_MAX] = {"help"};
  size_t count = 1;
  for (size_t i = 0; verbs[i] != NULL && count < VERBS_MAX; i++) {
    names[count++] = verbs[i]->name;
  }
  fprintf(stderr, "rayfix: unknown verb \"%s\"", name);
  suggest_name(name, strlen(name), "", names, count);
  fputs("\nrayfix: 'rayfix help' lists the verbs\n", stderr);
  return EXIT_USAGE;
}

static int help(int argc, char **argv) {
  if (argc < 2) {
    print_verbs(stdout);
    return EXIT_FINE;
  }
  const struct verb *verb = find_verb(argv[1]);
  if (verb == NULL) {
    return unknown_verb(argv[1]);
  }
  fputs(verb->help, stdout);
  return EXIT_FINE;
}

static int dispatch(int argc, char **argv) {
  if (argc < 2) {
    print_verbs(stdout);
    return EXIT_FINE;
  }
  const char *name = argv[1];
  if (strcmp(name, "help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "--help") == 0) {
    return help(argc - 1, argv + 1);
  }
  if (strcmp(name, "--version") == 0) {
    name = "version";
  }
  const struct verb *verb = find_verb(name);
  return verb == NULL ? unknown_verb(name) : verb->run(argc - 1, argv + 1);
}

// 0 once everything is written; otherwise the reason as an errno value.
static int close_output(void) {
  errno = 0;
  if (ferror(stdout) != 0) {
    // An earlier write has failed and its reason is gone: one more write meets the same.
    clearerr(stdout);
    fputc('\n', stdout);
    fflush(stdout);
    return errno == 0 ? EIO : errno;
  }
  return fflush(stdout) == 0 ? 0 : errno;
}

int main(int argc, char **argv) {
  // A reader that goes away is an error to report, not a death by signal.
  signal(SIGPIPE, SIG_IGN);
  int code = dispatch(argc, argv);
  int problem = close_output();
  if (problem != 0) {
    fprintf(stderr, "rayfix: standard output: %s\n", strerror(problem));
    return EXIT_IO;
  }
  return code;
}
