#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/verb.h"
#include "server/fd.h"

static const char *shown(const char *path) {
  return strcmp(path, "-") == 0 ? "standard input" : path;
}

// With a full buffer: is there one more byte?
static int read_past(int fd, bool *ret_too_large) {
  char byte;
  ssize_t got = read(fd, &byte, 1);
  *ret_too_large = got > 0;
  return got < 0 ? -1 : 0;
}

int input_read(const char *path, struct buffer *out, bool *ret_too_large, struct error *error) {
  *ret_too_large = false;
  bool is_stdin = strcmp(path, "-") == 0;
  int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return error_set(error, "%s: %s", path, strerror(errno));
  }
  int status = fd_read(fd, out);
  if (status == 0 && out->len == out->max) {
    status = read_past(fd, ret_too_large);
  }
  int problem = errno;
  if (!is_stdin) {
    close(fd);
  }
  return status != 0 ? error_set(error, "%s: %s", shown(path), strerror(problem)) : 0;
}

// The most that all mistakes in one configuration may take.
#define MISTAKES_MAX ((size_t)1 << 20)

static void print_mistakes(const struct buffer *mistakes) {
  struct text lines = {mistakes->data, mistakes->len};
  fwrite(lines.data == NULL ? "" : lines.data, 1, lines.len, stderr);
  if (lines.len > 0 && lines.data[lines.len - 1] != '\n') {
    fputc('\n', stderr);
  }
}

struct configuration *input_configuration(const char *path, int *ret_exit) {
  buffer_auto mistakes = {.max = MISTAKES_MAX};
  bool unreadable = false;
  struct configuration *configuration = configuration_load(path, &mistakes, &unreadable);
  if (configuration == NULL) {
    print_mistakes(&mistakes);
    *ret_exit = unreadable ? EXIT_IO : EXIT_USAGE;
  }
  return configuration;
}

struct configuration *input_configuration_text(const char *name, const char *text, size_t len) {
  buffer_auto mistakes = {.max = MISTAKES_MAX};
  struct configuration *configuration = configuration_parse(name, text, len, &mistakes);
  if (configuration == NULL) {
    print_mistakes(&mistakes);
  }
  return configuration;
}
