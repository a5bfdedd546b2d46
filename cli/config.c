#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admission/buffer.h"
#include "cli/verb.h"
#include "server/configuration.h"
#include "server/fd.h"

// Larger than any configuration, so that configuration_parse() is who refuses what is too large.
#define STDIN_MAX (size_t)(2 * 1024 * 1024)
#define OUTPUT_MAX (size_t)(4 * 1024 * 1024)

static const char help[] =
    "Check a configuration file, or print what can stand in one.\n"
    "\n"
    "Usage:\n"
    "  rayfix config check -f FILE|-\n"
    "  rayfix config defaults\n"
    "  rayfix config schema\n"
    "\n"
    "check reads a file as `rayfix serve --config` does and prints every mistake with its file,\n"
    "line, column, what was found and what was wanted.\n"
    "defaults prints a complete file: every setting with its default, explained.\n"
    "schema prints the JSON Schema of the file, for editors.\n"
    "\n"
    "Flags:\n"
    "  -f, --filename FILE   the file to check; - is standard input\n"
    "  -h, --help            show this\n"
    "\n"
    "Exit codes: 0 fine, 2 mistakes in the file or wrong flags, 3 the file cannot be read.\n"
    "\n"
    "Example:\n"
    "  rayfix config defaults > rayfix.yaml\n"
    "  rayfix config check -f rayfix.yaml\n";

struct flags {
  const char *command;
  const char *file;
  bool help;
};

static int wrong(const char *what, const char *value) {
  fprintf(stderr, "rayfix config: %s%s%s; see `rayfix config -h`\n", what, value == NULL ? "" : " ",
          value == NULL ? "" : value);
  return EXIT_USAGE;
}

// True if argv[*index] is the flag; its value, from the same or the next argument, goes into
// *ret_value, NULL if there is none. getopt_long() is not used here because its `struct option`
// and the configuration's have one name.
static bool take_value(char **argv, int *index, const char *short_name, const char *long_name,
                       const char **ret_value) {
  const char *argument = argv[*index];
  size_t short_len = strlen(short_name);
  size_t long_len = strlen(long_name);
  if (strcmp(argument, short_name) == 0 || strcmp(argument, long_name) == 0) {
    *ret_value = argv[*index + 1];  // argv ends with NULL
    *index += *ret_value == NULL ? 0 : 1;
    return true;
  }
  if (strncmp(argument, long_name, long_len) == 0 && argument[long_len] == '=') {
    *ret_value = argument + long_len + 1;
    return true;
  }
  if (strncmp(argument, short_name, short_len) == 0) {
    *ret_value = argument + short_len;
    return true;
  }
  return false;
}

static int parse_flags(int argc, char **argv, struct flags *flags) {
  for (int i = 1; i < argc; i++) {
    const char *argument = argv[i];
    if (strcmp(argument, "-h") == 0 || strcmp(argument, "--help") == 0) {
      flags->help = true;
      return EXIT_FINE;
    }
    if (take_value(argv, &i, "-f", "--filename", &flags->file)) {
      if (flags->file == NULL || flags->file[0] == '\0') {
        return wrong(argument, "wants a file name");
      }
    } else if (argument[0] == '-') {
      return wrong("unknown flag", argument);
    } else if (flags->command != NULL) {
      return wrong("unexpected argument", argument);
    } else {
      flags->command = argument;
    }
  }
  return flags->command == NULL ? wrong("wanted check, defaults or schema", NULL) : EXIT_FINE;
}

static int print(const struct buffer *out) {
  if (out->failed) {
    fprintf(stderr, "rayfix config: out of memory\n");
    return EXIT_IO;
  }
  bool is_written = fwrite(out->data, 1, out->len, stdout) == out->len && fflush(stdout) == 0;
  if (!is_written) {
    fprintf(stderr, "rayfix config: cannot write to standard output: %s\n", strerror(errno));
  }
  return is_written ? EXIT_FINE : EXIT_IO;
}

static struct configuration *load(const char *file, struct buffer *mistakes, bool *unreadable) {
  if (strcmp(file, "-") != 0) {
    return configuration_load(file, mistakes, unreadable);
  }
  buffer_auto text = {.max = STDIN_MAX};
  if (fd_read(STDIN_FILENO, &text) != 0) {
    *unreadable = true;
    buffer_printf(mistakes, "standard input: cannot be read: %s\n", strerror(errno));
    return NULL;
  }
  return configuration_parse("<stdin>", text.data == NULL ? "" : text.data, text.len, mistakes);
}

static int check(const char *file) {
  buffer_auto mistakes = {.max = OUTPUT_MAX};
  bool unreadable = false;
  if (file == NULL) {
    return wrong("check wants -f FILE, or -f - for standard input", NULL);
  }
  struct configuration *configuration = load(file, &mistakes, &unreadable);
  if (configuration == NULL) {
    if (mistakes.len > 0) {
      fwrite(mistakes.data, 1, mistakes.len, stderr);
    }
    return unreadable ? EXIT_IO : EXIT_USAGE;
  }
  configuration_free(configuration);
  buffer_auto out = {.max = OUTPUT_MAX};
  buffer_printf(&out, "%s: ok\n", strcmp(file, "-") == 0 ? "<stdin>" : file);
  return print(&out);
}

static int run(int argc, char **argv) {
  struct flags flags = {NULL, NULL, false};
  int code = parse_flags(argc, argv, &flags);
  buffer_auto out = {.max = OUTPUT_MAX};
  if (code != EXIT_FINE) {
    return code;
  }
  if (flags.help) {
    buffer_append(&out, help, sizeof help - 1);
    return print(&out);
  }
  if (strcmp(flags.command, "check") == 0) {
    return check(flags.file);
  }
  if (flags.file != NULL) {
    return wrong("only check takes -f, not", flags.command);
  }
  if (strcmp(flags.command, "defaults") == 0) {
    configuration_print_defaults(&out);
  } else if (strcmp(flags.command, "schema") == 0) {
    configuration_print_schema(&out);
  } else {
    return wrong("wanted check, defaults or schema, found", flags.command);
  }
  return print(&out);
}

const struct verb verb_config = {
    .name = "config",
    .summary = "Check a configuration file; print the defaults or the schema",
    .help = help,
    .run = run,
};
