#include "server/configuration_mistakes.h"

#include <stdarg.h>
#include <stdlib.h>

#include "admission/quote.h"

// The deepest path of a legal file has about 200 bytes; each part is cut by quote_text().
#define PATH_MAX_BYTES 4096

// Keys are the user's own text: what is no plain name is quoted.
static void append_key(struct buffer *out, struct text key) {
  bool is_plain = key.len > 0 && key.len <= 64;
  for (size_t i = 0; i < key.len && is_plain; i++) {
    unsigned char c = (unsigned char)key.data[i];
    is_plain = c > ' ' && c < 0x7f && c != '.' && c != ':' && c != '"';
  }
  char quoted[QUOTE_MAX];
  buffer_append_text(out, is_plain ? key : text_of(quote_text(key, quoted)));
}

static void append_path(struct buffer *out, const struct path *path) {
  if (path->parent != NULL) {
    append_path(out, path->parent);
  }
  if (path->key.data == NULL) {
    buffer_printf(out, "[%zu]", path->index);
    return;
  }
  if (path->parent != NULL) {
    buffer_append(out, ".", 1);
  }
  append_key(out, path->key);
}

void mistakes_add(struct mistakes *mistakes, size_t line, size_t column, const struct path *path,
                  const char *format, ...) {
  mistakes->count++;
  if (mistakes->count > MISTAKES_MAX) {
    return;
  }
  buffer_auto place = {.max = PATH_MAX_BYTES};
  if (path == NULL) {
    buffer_append_text(&place, TEXT("configuration"));
  } else {
    append_path(&place, path);
  }
  va_list args;
  va_start(args, format);
  struct text what = arena_vprintf(mistakes->arena, format, args);
  va_end(args);
  struct text message = {NULL, 0};
  if (!place.failed && what.data != NULL) {
    message =
        arena_printf(mistakes->arena, "%.*s: %.*s", (int)place.len, place.data, TEXT_ARG(what));
  }
  mistakes->out_of_memory = mistakes->out_of_memory || message.data == NULL;
  mistakes->items[mistakes->count - 1] = (struct mistake){line, column, message};
}

static int compare_mistakes(const void *left, const void *right) {
  const struct mistake *a = left;
  const struct mistake *b = right;
  if (a->line != b->line) {
    return a->line < b->line ? -1 : 1;
  }
  if (a->column != b->column) {
    return a->column < b->column ? -1 : 1;
  }
  // Two at one place keep a fixed order; qsort alone promises none.
  size_t shorter = a->message.len < b->message.len ? a->message.len : b->message.len;
  return shorter == 0 ? 0 : memcmp(a->message.data, b->message.data, shorter);
}

void mistakes_print(struct mistakes *mistakes, struct buffer *out) {
  size_t kept = mistakes->count < MISTAKES_MAX ? mistakes->count : MISTAKES_MAX;
  qsort(mistakes->items, kept, sizeof mistakes->items[0], compare_mistakes);
  for (size_t i = 0; i < kept; i++) {
    const struct mistake *mistake = &mistakes->items[i];
    buffer_printf(out, "%s:%zu:%zu: %.*s\n", mistakes->file, mistake->line, mistake->column,
                  TEXT_ARG(mistake->message));
  }
  if (mistakes->count > kept) {
    buffer_printf(out, "%s: and %zu more mistakes\n", mistakes->file, mistakes->count - kept);
  }
  if (mistakes->out_of_memory) {
    buffer_printf(out, "%s: out of memory while it was read\n", mistakes->file);
  }
}
