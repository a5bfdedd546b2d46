#include "admission/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct chunk {
  struct chunk *older;
  size_t capacity;
  size_t used;
  alignas(max_align_t) char bytes[];
};

struct arena {
  struct chunk *newest;
  size_t max_bytes;
  size_t held;  // capacity of all chunks
  size_t used;  // handed out since the last reset
  bool limit_reached;
  size_t allocations_left;  // see arena_fail_after()
  yyjson_alc yyjson;
};

static size_t align_up(size_t size) {
  size_t mask = alignof(max_align_t) - 1;
  return (size + mask) & ~mask;
}

static struct chunk *chunk_new(size_t capacity, struct chunk *older) {
  struct chunk *chunk = malloc(sizeof *chunk + capacity);
  if (chunk != NULL) {
    chunk->older = older;
    chunk->capacity = capacity;
    chunk->used = 0;
  }
  return chunk;
}

static void *yyjson_arena_malloc(void *context, size_t size) {
  return arena_alloc(context, size);
}

// The newest allocation grows and shrinks where it stands, which is the usual case while parsing.
static void *yyjson_arena_realloc(void *context, void *pointer, size_t old_size, size_t size) {
  struct arena *arena = context;
  struct chunk *chunk = arena->newest;
  size_t old_rounded = align_up(old_size);
  bool is_last =
      chunk->used >= old_rounded && (char *)pointer == chunk->bytes + (chunk->used - old_rounded);
  size_t start = chunk->used - old_rounded;
  if (is_last && size <= chunk->capacity - start && align_up(size) <= chunk->capacity - start) {
    chunk->used = start + align_up(size);
    return pointer;
  }
  if (size <= old_size) {
    return pointer;
  }
  void *moved = arena_alloc(arena, size);
  if (moved != NULL) {
    memcpy(moved, pointer, old_size);
  }
  return moved;
}

static void yyjson_arena_free(void *context, void *pointer) {
  (void)context;
  (void)pointer;  // all at once, in arena_reset()
}

struct arena *arena_new(size_t first_chunk, size_t max_bytes) {
  struct arena *arena = calloc(1, sizeof *arena);
  if (arena == NULL) {
    return NULL;
  }
  arena->newest = chunk_new(align_up(first_chunk), NULL);
  if (arena->newest == NULL) {
    free(arena);
    return NULL;
  }
  arena->held = arena->newest->capacity;
  arena->max_bytes = max_bytes;
  arena->allocations_left = SIZE_MAX;
  arena->yyjson = (yyjson_alc){yyjson_arena_malloc, yyjson_arena_realloc, yyjson_arena_free, arena};
  return arena;
}

static void drop_newest(struct arena *arena) {
  struct chunk *chunk = arena->newest;
  arena->newest = chunk->older;
  arena->held -= chunk->capacity;
  free(chunk);
}

void arena_free(struct arena *arena) {
  if (arena == NULL) {
    return;
  }
  while (arena->newest != NULL) {
    drop_newest(arena);
  }
  free(arena);
}

void arena_reset(struct arena *arena) {
  while (arena->newest->older != NULL) {
    drop_newest(arena);
  }
  arena->newest->used = 0;
  arena->used = 0;
  arena->limit_reached = false;
}

// A chunk at least as large as all before it, so that the number of chunks grows with the
// logarithm of what is asked for.
static bool add_chunk(struct arena *arena, size_t size) {
  if (arena->held > arena->max_bytes || size > arena->max_bytes - arena->held) {
    arena->limit_reached = true;
    return false;
  }
  size_t room = arena->max_bytes - arena->held;
  size_t capacity = size > arena->held ? size : arena->held;
  struct chunk *chunk = chunk_new(capacity < room ? capacity : room, arena->newest);
  if (chunk == NULL) {
    return false;
  }
  arena->newest = chunk;
  arena->held += chunk->capacity;
  return true;
}

void *arena_alloc(struct arena *arena, size_t size) {
  if (arena->allocations_left == 0 || size > SIZE_MAX / 2) {
    return NULL;
  }
  if (arena->allocations_left != SIZE_MAX) {
    arena->allocations_left--;
  }
  size_t rounded = align_up(size == 0 ? 1 : size);
  struct chunk *chunk = arena->newest;
  if (rounded > chunk->capacity - chunk->used) {
    if (!add_chunk(arena, rounded)) {
      return NULL;
    }
    chunk = arena->newest;
  }
  void *pointer = chunk->bytes + chunk->used;
  chunk->used += rounded;
  arena->used += rounded;
  return pointer;
}

void *arena_calloc(struct arena *arena, size_t count, size_t size) {
  if (size != 0 && count > SIZE_MAX / size) {
    return NULL;
  }
  void *pointer = arena_alloc(arena, count * size);
  if (pointer != NULL) {
    memset(pointer, 0, count * size);
  }
  return pointer;
}

struct text arena_copy(struct arena *arena, struct text text) {
  char *copy = arena_alloc(arena, text.len + 1);
  if (copy == NULL) {
    return (struct text){NULL, 0};
  }
  if (text.len > 0) {
    memcpy(copy, text.data, text.len);
  }
  copy[text.len] = '\0';
  return (struct text){copy, text.len};
}

static char *put(char *to, struct text text) {
  if (text.len > 0) {
    memcpy(to, text.data, text.len);
  }
  return to + text.len;
}

struct text arena_join(struct arena *arena, const struct text *items, size_t count,
                       struct text separator) {
  size_t len = 0;
  for (size_t i = 0; i < count; i++) {
    len += items[i].len + (i > 0 ? separator.len : 0);
  }
  char *joined = arena_alloc(arena, len + 1);
  if (joined == NULL) {
    return (struct text){NULL, 0};
  }
  char *end = joined;
  for (size_t i = 0; i < count; i++) {
    end = put(end, i > 0 ? separator : TEXT(""));
    end = put(end, items[i]);
  }
  *end = '\0';
  return (struct text){joined, len};
}

// Short texts, nearly all, are formatted once, straight into a piece of this size.
#define SHORT_TEXT 256

struct text arena_vprintf(struct arena *arena, const char *format, va_list args) {
  if (strchr(format, '%') == NULL) {
    return arena_copy(arena, text_of(format));
  }
  va_list again;
  va_copy(again, args);
  char *text = arena_alloc(arena, SHORT_TEXT);
  int len = text == NULL ? -1 : vsnprintf(text, SHORT_TEXT, format, args);
  if (len >= 0) {
    size_t size = (size_t)len + 1;
    text = yyjson_arena_realloc(arena, text, SHORT_TEXT, size);
    if (text != NULL && size > SHORT_TEXT) {
      vsnprintf(text, size, format, again);
    }
  }
  va_end(again);
  return len < 0 || text == NULL ? (struct text){NULL, 0} : (struct text){text, (size_t)len};
}

struct text arena_printf(struct arena *arena, const char *format, ...) {
  va_list args;
  va_start(args, format);
  struct text text = arena_vprintf(arena, format, args);
  va_end(args);
  return text;
}

const yyjson_alc *arena_yyjson(struct arena *arena) {
  return &arena->yyjson;
}

bool arena_limit_reached(const struct arena *arena) {
  return arena->limit_reached;
}

size_t arena_used(const struct arena *arena) {
  return arena->used;
}

void arena_fail_after(struct arena *arena, size_t allocations) {
  arena->allocations_left = allocations;
}
