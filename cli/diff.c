#include "cli/diff.h"

#include <stdint.h>
#include <stdlib.h>

struct lines {
  struct text *items;
  size_t count;
};

static int split_lines(struct text text, struct lines *ret_lines) {
  size_t count = 0;
  for (size_t i = 0; i < text.len; i++) {
    count += text.data[i] == '\n' ? 1 : 0;
  }
  ret_lines->items = calloc(count + 1, sizeof *ret_lines->items);
  ret_lines->count = 0;
  if (ret_lines->items == NULL) {
    return -1;
  }
  size_t start = 0;
  for (size_t i = 0; i < text.len; i++) {
    if (text.data[i] == '\n') {
      ret_lines->items[ret_lines->count++] = text_slice(text, start, i + 1);
      start = i + 1;
    }
  }
  return 0;
}

// The steps from one text to the other: ' ' both, '-' only before, '+' only after.
struct script {
  char *steps;
  size_t count;
};

static void add_steps(struct script *script, char step, size_t count) {
  memset(script->steps + script->count, step, count);
  script->count += count;
}

// Myers, "An O(ND) Difference Algorithm and Its Variations" (1986). For each number of changes d
// the furthest line of `a` that is reached on diagonal k stands at reach[d * d + (k + d)].
struct search {
  const struct text *a;
  const struct text *b;
  int a_count;
  int b_count;
  int *reach;
  size_t capacity;  // of `reach`
};

static int *reach_at(const struct search *search, int d, int k) {
  return &search->reach[(size_t)d * (size_t)d + (size_t)(k + d)];
}

// Whether the path to diagonal k with d changes comes from a line that was put in.
static bool came_from_insert(const struct search *search, int d, int k) {
  return k == -d || (k != d && *reach_at(search, d - 1, k - 1) < *reach_at(search, d - 1, k + 1));
}

static bool extend(const struct search *search, int d, int k) {
  int x = 0;
  if (d > 0) {
    x = came_from_insert(search, d, k) ? *reach_at(search, d - 1, k + 1)
                                       : *reach_at(search, d - 1, k - 1) + 1;
  }
  int y = x - k;
  while (x < search->a_count && y < search->b_count && y >= 0 &&
         text_equals(search->a[x], search->b[y])) {
    x++;
    y++;
  }
  *reach_at(search, d, k) = x;
  return x >= search->a_count && y >= search->b_count;
}

static bool reserve(struct search *search, size_t needed) {
  if (needed <= search->capacity) {
    return true;
  }
  int *reach = reallocarray(search->reach, needed * 2, sizeof *reach);
  if (reach == NULL) {
    return false;
  }
  search->reach = reach;
  search->capacity = needed * 2;
  return true;
}

// The least number of changes, -1 if it is above the maximum or memory is short.
static int shortest(struct search *search) {
  int most = search->a_count + search->b_count;
  most = most < DIFF_CHANGES_MAX ? most : DIFF_CHANGES_MAX;
  for (int d = 0; d <= most; d++) {
    if (!reserve(search, ((size_t)d + 1) * ((size_t)d + 1))) {
      return -1;
    }
    for (int k = -d; k <= d; k += 2) {
      if (extend(search, d, k)) {
        return d;
      }
    }
  }
  return -1;
}

// Walks back from the end and writes the steps in reverse, then turns them round.
static void trace(const struct search *search, int changes, struct script *script) {
  size_t start = script->count;
  int x = search->a_count;
  int y = search->b_count;
  for (int d = changes; d > 0; d--) {
    int k = x - y;
    bool insert = came_from_insert(search, d, k);
    int from_x = *reach_at(search, d - 1, insert ? k + 1 : k - 1);
    int after_change = insert ? from_x : from_x + 1;
    add_steps(script, ' ', (size_t)(x - after_change));
    add_steps(script, insert ? '+' : '-', 1);
    x = from_x;
    y = from_x - (insert ? k + 1 : k - 1);
  }
  add_steps(script, ' ', (size_t)x);
  for (size_t i = start, j = script->count; i + 1 < j; i++) {
    j--;
    char step = script->steps[i];
    script->steps[i] = script->steps[j];
    script->steps[j] = step;
  }
}

static int write_script(const struct lines *a, const struct lines *b, struct script *script) {
  size_t least = a->count < b->count ? a->count : b->count;
  size_t head = 0;
  while (head < least && text_equals(a->items[head], b->items[head])) {
    head++;
  }
  size_t tail = 0;
  while (tail < least - head &&
         text_equals(a->items[a->count - 1 - tail], b->items[b->count - 1 - tail])) {
    tail++;
  }
  size_t a_rest = a->count - head - tail;
  size_t b_rest = b->count - head - tail;
  script->steps = malloc(a->count + b->count + 1);
  if (script->steps == NULL || a_rest > INT32_MAX / 4 || b_rest > INT32_MAX / 4) {
    return -1;
  }
  add_steps(script, ' ', head);
  struct search search = {a->items + head, b->items + head, (int)a_rest, (int)b_rest, NULL, 0};
  int changes = shortest(&search);
  if (changes >= 0) {
    trace(&search, changes, script);
  } else {
    add_steps(script, '-', a_rest);
    add_steps(script, '+', b_rest);
  }
  free(search.reach);
  add_steps(script, ' ', tail);
  return 0;
}

// Where a hunk that begins at step `first` ends: after the context behind its last change.
static size_t hunk_end(const struct script *script, size_t first) {
  size_t last_change = first;
  for (size_t i = first; i < script->count && i <= last_change + 2 * DIFF_CONTEXT + 1; i++) {
    last_change = script->steps[i] == ' ' ? last_change : i;
  }
  size_t end = last_change + 1 + DIFF_CONTEXT;
  return end < script->count ? end : script->count;
}

struct cursor {
  size_t a;
  size_t b;
};

static void advance(struct cursor *cursor, char step) {
  cursor->a += step != '+' ? 1 : 0;
  cursor->b += step != '-' ? 1 : 0;
}

// "start,count"; an empty range names the line before it.
static void put_range(struct buffer *out, char sign, size_t start, size_t end) {
  buffer_printf(out, " %c%zu,%zu", sign, end > start ? start + 1 : start, end - start);
}

static void put_hunk(const struct lines *a, const struct lines *b, const struct script *script,
                     size_t from, size_t to, struct cursor at, struct buffer *out) {
  struct cursor end = at;
  for (size_t i = from; i < to; i++) {
    advance(&end, script->steps[i]);
  }
  buffer_printf(out, "@@");
  put_range(out, '-', at.a, end.a);
  put_range(out, '+', at.b, end.b);
  buffer_printf(out, " @@\n");
  for (size_t i = from; i < to; i++) {
    char step = script->steps[i];
    buffer_append(out, &step, 1);
    buffer_append_text(out, step == '+' ? b->items[at.b] : a->items[at.a]);
    advance(&at, step);
  }
}

static void put_hunks(const struct lines *a, const struct lines *b, const struct script *script,
                      struct buffer *out) {
  struct cursor at = {0, 0};
  size_t done = 0;
  for (size_t i = 0; i < script->count; i++) {
    if (script->steps[i] == ' ') {
      continue;
    }
    size_t from = i - done > DIFF_CONTEXT ? i - DIFF_CONTEXT : done;
    for (; done < from; done++) {
      advance(&at, script->steps[done]);
    }
    size_t to = hunk_end(script, i);
    put_hunk(a, b, script, from, to, at, out);
    for (; done < to; done++) {
      advance(&at, script->steps[done]);
    }
    i = to - 1;
  }
}

int diff_unified(struct text before, struct text after, struct buffer *out) {
  struct lines a = {NULL, 0};
  struct lines b = {NULL, 0};
  struct script script = {NULL, 0};
  int status = -1;
  if (split_lines(before, &a) == 0 && split_lines(after, &b) == 0 &&
      write_script(&a, &b, &script) == 0) {
    put_hunks(&a, &b, &script, out);
    status = out->failed ? -1 : 0;
  }
  free(a.items);
  free(b.items);
  free(script.steps);
  return status;
}
