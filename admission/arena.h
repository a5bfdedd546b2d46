#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <yyjson.h>

#include "admission/text.h"

// Memory that lives as long as one request (or one configuration) and is given back at once.
// In steady state a request costs no malloc: the first chunk is kept across resets.
struct arena;

// A new arena whose first chunk has `first_chunk` bytes (touched only when used) and which refuses
// to hold more than `max_bytes` in all. NULL when memory is short. Free with arena_free().
struct arena *arena_new(size_t first_chunk, size_t max_bytes);

// NULL is fine.
void arena_free(struct arena *arena);

// Forgets everything that was allocated; keeps the first chunk, frees the others.
void arena_reset(struct arena *arena);

// `size` bytes, aligned for any type, not cleared. NULL at the limit or when memory is short.
void *arena_alloc(struct arena *arena, size_t size);

// As arena_alloc, cleared, for `count` items; NULL also when count * size overflows.
void *arena_calloc(struct arena *arena, size_t count, size_t size);

// A NUL-terminated copy; .data is NULL when memory is short.
struct text arena_copy(struct arena *arena, struct text text);

// The items with `separator` between them, NUL-terminated; .data is NULL when memory is short.
struct text arena_join(struct arena *arena, const struct text *items, size_t count,
                       struct text separator);

// A formatted, NUL-terminated text; .data is NULL when memory is short.
__attribute__((format(printf, 2, 3))) struct text arena_printf(struct arena *arena,
                                                               const char *format, ...);
__attribute__((format(printf, 2, 0))) struct text arena_vprintf(struct arena *arena,
                                                                const char *format, va_list args);

// The arena as an allocator for yyjson. Borrowed: valid as long as the arena.
const yyjson_alc *arena_yyjson(struct arena *arena);

// True if an allocation was refused since the last reset because of `max_bytes`, not because the
// machine is short of memory: asking again would end the same way.
bool arena_limit_reached(const struct arena *arena);

// Bytes handed out since the last reset.
size_t arena_used(const struct arena *arena);

// For tests: let `allocations` more allocations succeed and every later one fail, until the next
// call. SIZE_MAX, the default, lets all succeed.
void arena_fail_after(struct arena *arena, size_t allocations);
