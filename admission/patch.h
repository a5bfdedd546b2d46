#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <yyjson.h>

#include "admission/arena.h"
#include "admission/buffer.h"
#include "admission/text.h"
#include "admission/value.h"

// Builds one JSON Patch (RFC 6902) for an object. Rules name a place by its JSON Pointer and say
// what should be there; the builder chooses the operation, creates missing parents once (also
// those that an earlier rule has added), and remembers the first failure. Rules never write
// operations themselves and never change the object.
//
// A place whose parent has the wrong type, say `tolerations: "none"`, refuses the whole rule: what
// the rule wrote is dropped and the object stays as it is, since the API server judges types and a
// patch that does not apply would reject the pod even under failurePolicy Ignore.
struct patch;

// The API server refuses a patch with more operations (apiserver, handlers/patch.go). A rule that
// would go beyond is refused as above.
#define PATCH_OPERATIONS_MAX 10000

// A patch for `object`, in `arena`; NULL when memory is short.
struct patch *patch_new(yyjson_val *object, struct arena *arena);

// Sets the value at the pointer: adds a missing object member with its missing parents, replaces
// one that is there, replaces an array element. NULL means an earlier failure.
__attribute__((format(printf, 3, 4))) void patch_set(struct patch *patch, yyjson_mut_val *value,
                                                     const char *pointer, ...);

// Appends to the array at the pointer; the array and its parents are created when missing.
__attribute__((format(printf, 3, 4))) void patch_append(struct patch *patch, yyjson_mut_val *value,
                                                        const char *pointer, ...);

// Removes what stands at the pointer; nothing happens when there is nothing.
__attribute__((format(printf, 2, 3))) void patch_remove(struct patch *patch, const char *pointer,
                                                        ...);

// Says why a rule leaves an object alone though it looked into it. Goes to the debug log.
__attribute__((format(printf, 2, 3))) void patch_note(struct patch *patch, const char *format, ...);

// An arena-owned text for use in values; .data NULL and the failure remembered when memory is
// short.
__attribute__((format(printf, 2, 3))) struct text patch_text(struct patch *patch,
                                                             const char *format, ...);

// The arena that everything of this patch lives in.
struct arena *patch_arena(struct patch *patch);

// ---- for value.c ----

// Where values are made.
yyjson_mut_doc *patch_document(struct patch *patch);

// Remembers a failure if `value` is NULL; returns `value`.
yyjson_mut_val *patch_keep(struct patch *patch, yyjson_mut_val *value);

// ---- for the engine, not for rules ----

// Starts a rule; patch_end_rule() says what came of it.
void patch_begin_rule(struct patch *patch);

struct rule_patch {
  size_t operations;  // that the rule wrote; 0 after a refusal
  bool refused;       // a parent had the wrong type
  struct text note;   // from patch_note() or the refusal, else empty
};

struct rule_patch patch_end_rule(struct patch *patch);

// Forgets the operations from `keep` on.
void patch_truncate(struct patch *patch, size_t keep);

size_t patch_count(const struct patch *patch);

// The pointer of operation `index`.
struct text patch_pointer(const struct patch *patch, size_t index);

// True once memory was short anywhere: the patch must not be used.
bool patch_failed(const struct patch *patch);

// The patch as JSON text in the arena; .data NULL when memory is short.
struct text patch_write(struct patch *patch);
