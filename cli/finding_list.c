#include "cli/finding_list.h"

#include <stdarg.h>

#include "admission/text.h"

const char *const severity_names[] = {
    [SEVERITY_NOTE] = "note", [SEVERITY_WARNING] = "warning", [SEVERITY_ERROR] = "error"};

const char *finding_text(struct finding_list *list, const char *format, ...) {
  va_list args;
  va_start(args, format);
  struct text text = arena_vprintf(list->arena, format, args);
  va_end(args);
  if (text.data == NULL) {
    list->failed = true;
    return "";
  }
  char *copy = arena_alloc(list->arena, text.len + 1);
  if (copy == NULL) {
    list->failed = true;
    return "";
  }
  memcpy(copy, text.data, text.len + 1);
  text_blank_controls(copy, text.len);
  return copy;
}

void finding_add(struct finding_list *list, const struct finding_row *row) {
  if (list->count == list->capacity) {
    size_t capacity = list->capacity == 0 ? 32 : list->capacity * 2;
    struct finding_row *rows = arena_calloc(list->arena, capacity, sizeof *rows);
    if (rows == NULL) {
      list->failed = true;
      return;
    }
    if (list->count > 0) {
      memcpy(rows, list->rows, list->count * sizeof *rows);
    }
    list->rows = rows;
    list->capacity = capacity;
  }
  list->rows[list->count++] = *row;
}

size_t finding_count(const struct finding_list *list, enum severity severity) {
  size_t count = 0;
  for (size_t i = 0; i < list->count; i++) {
    count += list->rows[i].severity == severity ? 1 : 0;
  }
  return count;
}

static void put_row(const struct finding_row *row, struct buffer *out) {
  buffer_printf(out, "%s: %s: %s\n", severity_names[row->severity], row->where, row->what);
  if (row->why[0] != '\0') {
    buffer_printf(out, "    why:  %s\n", row->why);
  }
  if (row->fix[0] != '\0') {
    buffer_printf(out, "    fix:  %s\n", row->fix);
  }
}

void finding_write_text(const struct finding_list *list, const char *head, struct buffer *out) {
  buffer_append_text(out, text_of(head));
  for (int severity = SEVERITY_ERROR; severity >= SEVERITY_NOTE; severity--) {
    for (size_t i = 0; i < list->count; i++) {
      if (list->rows[i].severity == (enum severity)severity) {
        put_row(&list->rows[i], out);
      }
    }
  }
  size_t errors = finding_count(list, SEVERITY_ERROR);
  size_t warnings = finding_count(list, SEVERITY_WARNING);
  buffer_printf(out, "%zu error%s, %zu warning%s\n", errors, errors == 1 ? "" : "s", warnings,
                warnings == 1 ? "" : "s");
}
