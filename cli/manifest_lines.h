#pragma once

#include <stddef.h>
#include <yyjson.h>

#include "admission/text.h"

// In which line of its file each value of a document stands, so that a message about a field leads
// to it.

// The values of one document that are remembered; what comes after has its parent's line.
#define MANIFEST_LINES_MAX ((size_t)1 << 20)

struct manifest_lines;

// NULL when memory is short.
struct manifest_lines *manifest_lines_new(void);

// NULL is fine.
void manifest_lines_free(struct manifest_lines *lines);

// Remembers a line. Lines are a help, not a need: without memory, or with `lines` NULL, nothing.
void manifest_lines_note(struct manifest_lines *lines, const yyjson_mut_val *value, size_t line);

// The line of the value at `path`, as validators write paths
// (spec.workerGroupSpecs[1].template.metadata.labels.ray.io/group), below `object`; where the path
// leads to nothing, of the last value on the way; `fallback` if none is known.
size_t manifest_lines_find(struct manifest_lines *lines, yyjson_mut_val *object, struct text path,
                           size_t fallback);
