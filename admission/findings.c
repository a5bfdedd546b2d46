#include "admission/findings.h"

#include <stdarg.h>
#include <stdlib.h>

struct findings {
  struct arena *arena;
  struct finding *items;
  size_t count;
  size_t capacity;
  size_t left_out;
  size_t *free;  // after findings_sort(): see last_free()
  bool failed;
};

struct findings *findings_new(struct arena *arena) {
  struct findings *findings = arena_calloc(arena, 1, sizeof *findings);
  if (findings != NULL) {
    findings->arena = arena;
  }
  return findings;
}

static bool grow(struct findings *findings) {
  if (findings->count < findings->capacity) {
    return true;
  }
  size_t capacity = findings->capacity == 0 ? 8 : findings->capacity * 2;
  struct finding *grown = arena_calloc(findings->arena, capacity, sizeof *grown);
  if (grown == NULL) {
    findings->failed = true;
    return false;
  }
  if (findings->count > 0) {
    memcpy(grown, findings->items, findings->count * sizeof *grown);
  }
  findings->items = grown;
  findings->capacity = capacity;
  return true;
}

void findings_add(struct findings *findings, struct finding finding) {
  if (findings->count == FINDINGS_MAX) {
    findings->left_out++;
  } else if (grow(findings)) {
    findings->items[findings->count++] = finding;
  }
}

struct text findings_text(struct findings *findings, const char *format, ...) {
  if (findings->count == FINDINGS_MAX) {
    return TEXT("");
  }
  va_list args;
  va_start(args, format);
  struct text text = arena_vprintf(findings->arena, format, args);
  va_end(args);
  findings->failed = findings->failed || text.data == NULL;
  return text;
}

struct text findings_path(struct findings *findings, struct text parent, const char *child) {
  return findings_text(findings, "%.*s%s%s", TEXT_ARG(parent),
                       parent.len > 0 && child[0] != '\0' ? "." : "", child);
}

bool findings_failed(const struct findings *findings) {
  return findings->failed;
}

size_t findings_count(const struct findings *findings) {
  return findings->count;
}

size_t findings_left_out(const struct findings *findings) {
  return findings->left_out;
}

const struct finding *findings_get(const struct findings *findings, size_t index) {
  return &findings->items[index];
}

// By level and key, and the worst of one key first.
static int compare(const void *left, const void *right) {
  const struct finding *a = left;
  const struct finding *b = right;
  if (a->level != b->level) {
    return a->level < b->level ? -1 : 1;
  }
  if (a->key.len != b->key.len) {
    return a->key.len < b->key.len ? -1 : 1;
  }
  int order = a->key.len == 0 ? 0 : memcmp(a->key.data, b->key.data, a->key.len);
  if (order != 0) {
    return order;
  }
  return a->measure == b->measure ? 0 : a->measure > b->measure ? -1 : 1;
}

void findings_sort(struct findings *findings) {
  if (findings->count == 0) {
    return;
  }
  qsort(findings->items, findings->count, sizeof *findings->items, compare);
  findings->free = arena_calloc(findings->arena, findings->count + 1, sizeof *findings->free);
  findings->failed = findings->failed || findings->free == NULL;
  for (size_t i = 0; findings->free != NULL && i <= findings->count; i++) {
    findings->free[i] = i;
  }
}

// How many findings stand before one like `finding` with this measure.
static size_t count_before(const struct findings *findings, const struct finding *finding,
                           int128 measure) {
  struct finding wanted = {.level = finding->level, .key = finding->key, .measure = measure};
  size_t low = 0;
  size_t high = findings->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (compare(&findings->items[middle], &wanted) < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// The largest number, at most `end`, whose finding `number - 1` is not taken; 0 if all are. Halving
// the paths keeps this quick when a hostile object has one key a hundred thousand times.
static size_t last_free(struct findings *findings, size_t end) {
  size_t *free = findings->free;
  while (free[end] != end) {
    free[end] = free[free[end]];
    end = free[end];
  }
  return end;
}

// The mildest old finding that still covers the new one leaves the worse ones for worse ones.
bool findings_take(struct findings *old, const struct finding *finding) {
  const int128 worst = (((int128)1 << 126) - 1) * 2 + 1;
  size_t begin = count_before(old, finding, worst);
  size_t end = count_before(old, finding, finding->measure - 1);
  size_t number = begin == end || old->free == NULL ? 0 : last_free(old, end);
  if (number <= begin) {
    return false;
  }
  old->items[number - 1].taken = true;
  old->free[number] = number - 1;
  return true;
}
