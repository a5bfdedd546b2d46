// Runs a target without a fuzzer: every file that is named, and what becomes of each by small
// random changes. The same numbers in every run, so that a failure comes again.
//
// Usage: TARGET CHANGES LAST FILE...
// Each input is kept in the file LAST before it is tried: after a crash that is the one.

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admission/buffer.h"
#include "tests/fuzz/fuzz.h"

// Larger ones are replayed, not changed: most of the time would go into copies.
#define CHANGED_MAX ((size_t)64 << 10)

static uint64_t state;
static int last;

static size_t random_below(size_t sides) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return sides == 0 ? 0 : (size_t)(state % sides);
}

static void try_input(const char *data, size_t size) {
  if (ftruncate(last, 0) != 0 || pwrite(last, data, size, 0) != (ssize_t)size) {
    perror("keeping the input");
    exit(EXIT_FAILURE);
  }
  LLVMFuzzerTestOneInput((const uint8_t *)data, size);
}

static void read_file(const char *path, struct buffer *text) {
  char chunk[4096];
  size_t n = 0;
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    perror(path);
    exit(EXIT_FAILURE);
  }
  while ((n = fread(chunk, 1, sizeof chunk, file)) > 0) {
    buffer_append(text, chunk, n);
  }
  fclose(file);
}

// What a parser trips over: ends of things, signs, escapes, other kinds of values.
static const char *const words[] = {"\"",
                                    "{",
                                    "}",
                                    "[",
                                    "]",
                                    ":",
                                    ",",
                                    "\\",
                                    "\\u0000",
                                    "\\ud800",
                                    "null",
                                    "-",
                                    "1e99",
                                    "0.",
                                    "true",
                                    "\n",
                                    "  ",
                                    "- ",
                                    "&a ",
                                    "*a",
                                    "<<: ",
                                    "!!",
                                    "|\n",
                                    "---\n",
                                    "\xff",
                                    "\xc3",
                                    "99Gi",
                                    "\xef\xbb\xbf",
                                    "$(X)",
                                    "name",
                                    "9223372036854775808"};

// One change of `from` into `to`: bytes flipped, taken away, doubled, or a word put in.
static void change(const struct buffer *from, struct buffer *to) {
  size_t at = random_below(from->len + 1);
  size_t length = random_below(from->len - at + 1) % 32;
  const char *word = words[random_below(sizeof words / sizeof words[0])];
  const char *rest = from->data + at;
  buffer_append(to, from->data, at);
  switch (random_below(4)) {
    case 0:
      if (at < from->len) {
        char flipped = (char)(*rest++ ^ (1 << random_below(8)));
        buffer_append(to, &flipped, 1);
      }
      break;
    case 1:
      rest += length;
      break;
    case 2:
      buffer_append(to, rest, length);
      break;
    default:
      buffer_append(to, word, strlen(word));
      rest += length % 4;
      break;
  }
  buffer_append(to, rest, (size_t)(from->data + from->len - rest));
}

static void try_changes(const struct buffer *original, size_t count) {
  for (size_t i = 0; i < count; i++) {
    buffer_auto changed = {.max = CHANGED_MAX * 2};
    change(original, &changed);
    for (size_t more = random_below(4); more > 0; more--) {
      buffer_auto before = changed;
      changed = (struct buffer){.max = CHANGED_MAX * 2};
      change(&before, &changed);
    }
    try_input(changed.data, changed.len);
  }
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: %s CHANGES LAST FILE...\n", argv[0]);
    return 2;
  }
  size_t changes = strtoul(argv[1], NULL, 10);
  last = open(argv[2], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  for (int i = 3; i < argc; i++) {
    buffer_auto text = {.max = SIZE_MAX / 2};
    read_file(argv[i], &text);
    try_input(text.data, text.len);
    state = UINT64_C(0x9e3779b97f4a7c15) + (unsigned)i;
    if (text.len > 0 && text.len <= CHANGED_MAX) {
      try_changes(&text, changes);
    }
  }
  printf("%d files, %zu changes of each\n", argc - 3, changes);
  close(last);
  unlink(argv[2]);
  return EXIT_SUCCESS;
}
