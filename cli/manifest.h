#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <yyjson.h>

#include "admission/buffer.h"
#include "admission/error.h"
#include "admission/text.h"
#include "cli/manifest_lines.h"

// Manifests: Kubernetes objects in YAML or JSON files, read as kubectl reads them and written so
// that kubectl reads the same again.
//
// In a document that was read from YAML, every plain scalar that is no string (0644, yes, ~, .5)
// is a raw value with the text of the file, so that it is written as its author wrote it.
// manifest_to_json() gives what Kubernetes makes of it.

// The largest file. etcd holds 1.5 MiB an object; this leaves room for a cluster's worth of them.
#define MANIFEST_BYTES_MAX ((size_t)64 << 20)

// The deepest nesting. The schemas of CustomResourceDefinitions, the deepest objects there are,
// stay below 100; the limit keeps recursion off the end of the stack.
#define MANIFEST_DEPTH_MAX 500

// The documents of one file; more are no manifests but an attack on memory.
#define MANIFEST_DOCUMENTS_MAX ((size_t)100000)

// Anchors of one document: every alias looks through them.
#define MANIFEST_ANCHORS_MAX ((size_t)1000)

// What aliases may add to one document, in bytes, each value counted with at least
// MANIFEST_ALIAS_VALUE_BYTES: aliases of aliases grow without bound ("billion laughs").
#define MANIFEST_ALIAS_BYTES_MAX ((size_t)64 << 20)
#define MANIFEST_ALIAS_VALUE_BYTES 32

// The most that is ever written: all documents of a run.
#define MANIFEST_OUTPUT_MAX ((size_t)1 << 30)

struct manifest {
  const char *file;              // borrowed: the name given to manifest_parse()
  size_t line;                   // where the document starts, from 1
  yyjson_mut_doc *doc;           // owned; the root is an object
  struct manifest_lines *lines;  // owned; of its values; NULL for a document in JSON
};

// The documents of one or more files, in order. Zeroed: empty.
struct manifest_list {
  struct manifest *items;
  size_t count;
  size_t capacity;
};

// What went wrong, for the exit code.
enum manifest_status {
  MANIFEST_READ = 0,
  MANIFEST_INVALID = -1,     // EXIT_USAGE: the text is no manifest
  MANIFEST_UNREADABLE = -2,  // EXIT_IO: a file, or memory
};

// Appends the documents of `text` to `list`; empty ones are left out, as kubectl does. `name`
// stands for the file in messages ("file:line:column: what"), and in the documents: it must live
// as long as they do.
enum manifest_status manifest_parse(const char *name, struct text text, struct manifest_list *list,
                                    struct error *error);

// NULL is fine.
void manifest_list_free(struct manifest_list *list);

// A copy of `value` in `doc` in which raw values are what JSON says: null, booleans, numbers.
// NULL when memory is short.
yyjson_mut_val *manifest_to_json(yyjson_mut_doc *doc, yyjson_mut_val *value);

// The member `name` if it is a string; otherwise the empty text.
struct text manifest_text(yyjson_mut_val *object, const char *name);

// Appends `value` as one YAML document, without "---". 0, or -1 when memory is short.
int manifest_write_yaml(yyjson_mut_val *value, struct buffer *out);

// Appends `value`, in which raw values are JSON, as JSON text and a newline; `pretty` is indented
// as kubectl does. 0, or -1 when memory is short.
int manifest_write_json(yyjson_mut_val *value, bool pretty, struct buffer *out);

// ---- between the files manifest*.c ----

// Appends a document; takes `doc` and `lines` over, also on failure.
enum manifest_status manifest_list_add(struct manifest_list *list, struct manifest manifest,
                                       struct error *error);

// As manifest_parse, for text that is YAML.
enum manifest_status manifest_parse_yaml(const char *name, struct text text,
                                         struct manifest_list *list, struct error *error);

// Of members with the same key keeps the last value at the first place, as Go's decoders do.
// 0, or -1 when memory is short.
int manifest_drop_duplicates(yyjson_mut_val *object);

// Frees the documents from `keep` on.
void manifest_list_truncate(struct manifest_list *list, size_t keep);
