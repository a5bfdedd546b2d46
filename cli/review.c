#include "admission/review.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/flags.h"
#include "cli/input.h"
#include "cli/verb.h"

extern const struct verb verb_review;

struct review_flags {
  int phase;
  const char *config;
  const char *file;
};

static const char *const phase_names[] = {
    [PHASE_MUTATE] = "mutate", [PHASE_VALIDATE] = "validate", NULL};

static const struct flag flags[] = {
    {.name = "phase",
     .kind = FLAG_NAME,
     .offset = offsetof(struct review_flags, phase),
     .names = phase_names},
    {.name = "config", .kind = FLAG_TEXT, .offset = offsetof(struct review_flags, config)},
    {.letter = 'f',
     .name = "filename",
     .kind = FLAG_TEXT,
     .offset = offsetof(struct review_flags, file)},
};

// An answer to 32 MiB of pod is smaller than this: only added values are in it.
#define ANSWER_MAX ((size_t)256 << 20)

static enum admission_status judge(const struct admission_config *config, int phase,
                                   struct arena *arena, const struct buffer *in, bool too_large,
                                   struct buffer *out, struct decision *ret_decision) {
  if (too_large) {
    return admission_refuse_oversize(in->data, in->len, out);
  }
  return admission_review(config, (enum admission_phase)phase, arena,
                          in->data == NULL ? "" : in->data, in->len, out, ret_decision);
}

static int answer(const struct admission_config *config, int phase, const struct buffer *in,
                  bool too_large) {
  struct arena *arena = arena_new(ADMISSION_ARENA_FIRST, ADMISSION_ARENA_MAX);
  buffer_auto out = {.max = ANSWER_MAX};
  struct decision decision = {.allowed = false};
  enum admission_status status = ADMISSION_OUT_OF_MEMORY;
  if (arena != NULL) {
    status = judge(config, phase, arena, in, too_large, &out, &decision);
  }
  arena_free(arena);
  if (status == ADMISSION_OUT_OF_MEMORY || out.failed) {
    fprintf(stderr, "rayfix review: out of memory; the server would answer 503\n");
    return EXIT_IO;
  }
  // No newline is added: these are the bytes of the HTTP body.
  fwrite(out.data, 1, out.len, stdout);
  if (status == ADMISSION_BAD_REQUEST) {
    fprintf(stderr, "rayfix review: not an AdmissionReview; the server would answer HTTP 400\n");
    return EXIT_USAGE;
  }
  return decision.allowed ? EXIT_FINE : EXIT_DENIED;
}

static int run(int argc, char **argv) {
  struct review_flags given = {.phase = PHASE_MUTATE, .config = NULL, .file = "-"};
  int status = flags_parse(&verb_review, flags, sizeof flags / sizeof flags[0], &given, argc, argv);
  if (status != FLAGS_GO_ON) {
    return status;
  }
  struct configuration *configuration = input_configuration(given.config, &status);
  if (configuration == NULL) {
    return status;
  }
  buffer_auto in = {.max = ADMISSION_BODY_MAX};
  struct error error;
  bool too_large = false;
  if (input_read(given.file, &in, &too_large, &error) != 0) {
    fprintf(stderr, "rayfix review: %s\n", error.text);
    status = EXIT_IO;
  } else {
    status = answer(configuration->admission, given.phase, &in, too_large);
  }
  configuration_free(configuration);
  return status;
}

const struct verb verb_review = {
    .name = "review",
    .summary = "Answer one AdmissionReview, as the server would",
    .help =
        "Reads one AdmissionReview and prints the answer: exactly the bytes that the server sends\n"
        "on the path of that phase.\n"
        "\n"
        "Usage:\n"
        "  rayfix review [--phase mutate|validate] [--config FILE] [-f FILE]\n"
        "\n"
        "Flags:\n"
        "      --phase PHASE    mutate (the default) or validate\n"
        "      --config FILE    the configuration of the server; the defaults without it\n"
        "  -f, --filename FILE  the review; standard input without it or with \"-\"\n"
        "  -h, --help           this text\n"
        "\n"
        "Exit code: 0 allowed, 1 denied, 2 wrong flags or configuration or no AdmissionReview,\n"
        "3 input/output.\n"
        "\n"
        "Example:\n"
        "  rayfix review < review.json\n",
    .run = run,
};
