#include "cli/manifest_lines.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct line {
  const yyjson_mut_val *value;
  size_t number;
};

struct manifest_lines {
  struct line *items;
  size_t count;
  size_t capacity;
  bool sorted;
};

struct manifest_lines *manifest_lines_new(void) {
  return calloc(1, sizeof(struct manifest_lines));
}

void manifest_lines_free(struct manifest_lines *lines) {
  if (lines != NULL) {
    free(lines->items);
  }
  free(lines);
}

void manifest_lines_note(struct manifest_lines *lines, const yyjson_mut_val *value, size_t line) {
  if (lines == NULL || value == NULL || lines->count == MANIFEST_LINES_MAX) {
    return;
  }
  if (lines->count == lines->capacity) {
    size_t capacity = lines->capacity == 0 ? 256 : lines->capacity * 2;
    struct line *items = reallocarray(lines->items, capacity, sizeof *items);
    if (items == NULL) {
      return;
    }
    lines->items = items;
    lines->capacity = capacity;
  }
  lines->items[lines->count++] = (struct line){value, line};
  lines->sorted = false;
}

static int compare(const void *left, const void *right) {
  uintptr_t a = (uintptr_t)((const struct line *)left)->value;
  uintptr_t b = (uintptr_t)((const struct line *)right)->value;
  return a == b ? 0 : a < b ? -1 : 1;
}

static size_t line_of(struct manifest_lines *lines, const yyjson_mut_val *value, size_t fallback) {
  if (lines->count == 0) {
    return fallback;
  }
  if (!lines->sorted) {
    qsort(lines->items, lines->count, sizeof *lines->items, compare);
    lines->sorted = true;
  }
  struct line wanted = {value, 0};
  const struct line *found =
      bsearch(&wanted, lines->items, lines->count, sizeof *lines->items, compare);
  return found == NULL ? fallback : found->number;
}

// True if a step of the path may end at `at`.
static bool is_end(struct text path, size_t at) {
  return at == path.len || path.data[at] == '.' || path.data[at] == '[';
}

// The member that the path starts with. Keys contain dots (nvidia.com/gpu), so the longest fits.
static yyjson_mut_val *step_member(yyjson_mut_val *object, struct text *path) {
  yyjson_mut_val *found = NULL;
  size_t longest = 0;
  yyjson_mut_obj_iter members = yyjson_mut_obj_iter_with(object);
  for (yyjson_mut_val *key = yyjson_mut_obj_iter_next(&members); key != NULL;
       key = yyjson_mut_obj_iter_next(&members)) {
    struct text name = {yyjson_mut_get_str(key), yyjson_mut_get_len(key)};
    if (name.len > longest && text_starts_with(*path, name) && is_end(*path, name.len)) {
      longest = name.len;
      found = yyjson_mut_obj_iter_get_val(key);
    }
  }
  *path = text_slice(*path, longest, path->len);
  return found;
}

// The item of "[3]…", or the member of "[nvidia.com/gpu]…".
static yyjson_mut_val *step_bracket(yyjson_mut_val *parent, struct text *path) {
  size_t close = text_find(*path, TEXT("]"), 0);
  unsigned long long index = 0;
  if (close == path->len) {
    return NULL;
  }
  struct text step = text_slice(*path, 1, close);
  *path = text_slice(*path, close + 1, path->len);
  if (yyjson_mut_is_obj(parent)) {
    return yyjson_mut_obj_getn(parent, step.data, step.len);
  }
  return text_to_unsigned(step, SIZE_MAX, &index) ? yyjson_mut_arr_get(parent, (size_t)index)
                                                  : NULL;
}

size_t manifest_lines_find(struct manifest_lines *lines, yyjson_mut_val *object, struct text path,
                           size_t fallback) {
  if (lines == NULL) {
    return fallback;
  }
  size_t line = line_of(lines, object, fallback);
  while (object != NULL && path.len > 0) {
    if (path.data[0] == '.') {
      path = text_slice(path, 1, path.len);
    }
    bool bracket = path.len > 0 && path.data[0] == '[';
    object = bracket ? step_bracket(object, &path) : step_member(object, &path);
    line = object == NULL ? line : line_of(lines, object, line);
  }
  return line;
}
