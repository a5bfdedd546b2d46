#include "cli/flags.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admission/text.h"
#include "cli/suggest.h"

// More flags than a verb should have.
#define FLAGS_MAX 24

// Values of getopt_long for flags: above every letter.
#define LONG_FLAG 1000

void flag_texts_free(struct flag_texts *texts) {
  if (texts == NULL) {
    return;
  }
  free(texts->items);
  *texts = (struct flag_texts){NULL, 0};
}

static int usage_error(const struct verb *verb) {
  fprintf(stderr, "rayfix %s: 'rayfix %s -h' lists the flags\n", verb->name, verb->name);
  return EXIT_USAGE;
}

static int set_texts(struct flag_texts *texts, const char *value) {
  const char **items = reallocarray(texts->items, texts->count + 1, sizeof *items);
  if (items == NULL) {
    fprintf(stderr, "rayfix: out of memory\n");
    return EXIT_IO;
  }
  texts->items = items;
  texts->items[texts->count++] = value;
  return FLAGS_GO_ON;
}

static int set_name(const struct verb *verb, const struct flag *flag, int *index,
                    const char *value) {
  for (int i = 0; flag->names[i] != NULL; i++) {
    if (strcmp(flag->names[i], value) == 0) {
      *index = i;
      return FLAGS_GO_ON;
    }
  }
  fprintf(stderr, "rayfix %s: --%s: \"%s\" is none of:", verb->name, flag->name, value);
  for (size_t i = 0; flag->names[i] != NULL; i++) {
    fprintf(stderr, "%s%s", i == 0 ? " " : ", ", flag->names[i]);
  }
  fprintf(stderr, "\n");
  return EXIT_USAGE;
}

static int set_number(const struct verb *verb, const struct flag *flag, int *number,
                      const char *value) {
  unsigned long long read = 0;
  if (!text_to_unsigned(text_of(value), 255, &read)) {
    fprintf(stderr, "rayfix %s: --%s: \"%s\" is no number from 0 to 255\n", verb->name, flag->name,
            value);
    return EXIT_USAGE;
  }
  *number = (int)read;
  return FLAGS_GO_ON;
}

static int set_flag(const struct verb *verb, const struct flag *flag, void *target,
                    const char *value) {
  void *place = (char *)target + flag->offset;
  switch (flag->kind) {
    case FLAG_SWITCH:
      *(bool *)place = true;
      return FLAGS_GO_ON;
    case FLAG_TEXT:
      *(const char **)place = value;
      return FLAGS_GO_ON;
    case FLAG_TEXTS:
      return set_texts(place, value);
    case FLAG_NAME:
      return set_name(verb, flag, place, value);
    case FLAG_NUMBER:
      return set_number(verb, flag, place, value);
    case FLAG_OPERAND:
    default:
      return EXIT_USAGE;
  }
}

static int unknown_flag(const struct verb *verb, const struct flag *flags, size_t count,
                        const char *given) {
  const char *names[FLAGS_MAX + 1] = {"help"};
  for (size_t i = 0; i < count; i++) {
    names[i + 1] = flags[i].name;
  }
  fprintf(stderr, "rayfix %s: unknown flag %s", verb->name, given);
  if (strncmp(given, "--", 2) == 0) {
    suggest_name(given + 2, strcspn(given + 2, "="), "--", names, count + 1);
  }
  fprintf(stderr, "\n");
  return usage_error(verb);
}

// What getopt_long stumbled over, as the user wrote it.
static int refuse(const struct verb *verb, const struct flag *flags, size_t count, int found,
                  char **argv) {
  char letter[] = {'-', (char)optopt, '\0'};
  bool is_long = optopt == 0 || optopt >= LONG_FLAG;
  const char *given = is_long ? argv[optind - 1] : letter;
  if (found == ':') {
    fprintf(stderr, "rayfix %s: %s needs a value\n", verb->name, given);
    return usage_error(verb);
  }
  if (optopt >= LONG_FLAG) {
    fprintf(stderr, "rayfix %s: %s takes no value\n", verb->name, given);
    return usage_error(verb);
  }
  return unknown_flag(verb, flags, count, given);
}

static void fill_tables(const struct flag *flags, size_t count, struct option *options,
                        char *letters) {
  size_t at = 0;
  letters[at++] = ':';  // tell a missing value from an unknown flag
  letters[at++] = 'h';
  options[0] = (struct option){"help", no_argument, NULL, 'h'};
  for (size_t i = 0; i < count; i++) {
    int value = flags[i].kind == FLAG_SWITCH ? no_argument : required_argument;
    options[i + 1] = (struct option){flags[i].name, value, NULL, LONG_FLAG + (int)i};
    if (flags[i].letter != '\0') {
      letters[at++] = flags[i].letter;
      if (value == required_argument) {
        letters[at++] = ':';
      }
    }
  }
  letters[at] = '\0';
}

static const struct flag *flag_found(const struct flag *flags, size_t count, int found) {
  for (size_t i = 0; i < count; i++) {
    if (found == LONG_FLAG + (int)i || (found == flags[i].letter && found != '\0')) {
      return &flags[i];
    }
  }
  return NULL;
}

int flags_parse(const struct verb *verb, const struct flag *flags, size_t count, void *target,
                int argc, char **argv) {
  struct option options[FLAGS_MAX + 2] = {{NULL, 0, NULL, 0}};
  char letters[2 * FLAGS_MAX + 3];
  if (count > FLAGS_MAX) {
    return EXIT_USAGE;
  }
  const struct flag *operand = count == 0 ? NULL : &flags[count - 1];
  operand = operand != NULL && operand->kind == FLAG_OPERAND ? operand : NULL;
  count -= operand == NULL ? 0 : 1;
  fill_tables(flags, count, options, letters);
  opterr = 0;
  optind = 1;
  for (int found = getopt_long(argc, argv, letters, options, NULL); found != -1;
       found = getopt_long(argc, argv, letters, options, NULL)) {
    if (found == 'h') {
      fputs(verb->help, stdout);
      return EXIT_FINE;
    }
    const struct flag *flag = flag_found(flags, count, found);
    int status = flag == NULL ? refuse(verb, flags, count, found, argv)
                              : set_flag(verb, flag, target, optarg);
    if (status != FLAGS_GO_ON) {
      return status;
    }
  }
  if (optind < argc && operand != NULL) {
    *(const char **)(void *)((char *)target + operand->offset) = argv[optind++];
  }
  if (optind < argc) {
    fprintf(stderr, "rayfix %s: unexpected argument \"%s\"\n", verb->name, argv[optind]);
    return usage_error(verb);
  }
  return FLAGS_GO_ON;
}
