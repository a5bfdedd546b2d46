#pragma once

#include <stdbool.h>

#include "admission/buffer.h"
#include "admission/review.h"
#include "cli/manifest.h"

// What `rayfix validate` found, in the forms that people, scripts and CI systems read.

// One object that rules looked at. Texts are borrowed until the next object.
struct judged {
  const struct manifest *manifest;  // it stands in
  yyjson_mut_val *object;
  size_t line;  // of the object in its file
  struct text api_version;
  struct text kind;
  struct text namespace_name;  // empty for a Node
  struct text name;            // or generateName; may be empty
  bool allowed;
  struct text message;  // of a denial: what the API server shows
  const struct violation *violations;
  size_t violation_count;
};

// How many objects came out how.
struct tally {
  size_t fine;
  size_t warned;  // allowed with warnings
  size_t denied;
  size_t skipped;  // no rule looks at their kind
};

struct report_format {
  const char *name;
  // Appends one object to `out`; `tally` does not count it yet.
  void (*object)(struct buffer *out, const struct judged *judged, const struct tally *tally);
  // What comes before and behind all objects.
  void (*begin)(struct buffer *out, const struct tally *tally);
  void (*end)(struct buffer *out, const struct tally *tally);
};

extern const struct report_format report_text;
extern const struct report_format report_json;
extern const struct report_format report_sarif;
extern const struct report_format report_junit;

// ---- between the files report_*.c ----

// The rule that a denial without violations is reported under: the object cannot be judged.
#define REPORT_REQUEST_RULE "request"

// True if this is the first object of the report.
bool report_is_first(const struct tally *tally);

// The line of the field that the violation is about.
size_t report_line(const struct judged *judged, const struct violation *violation);

// The file as a person named it; "-" is "standard input".
struct text report_file(const struct judged *judged);

// Appends `text` on one line, without what could steer a terminal.
void report_put_line(struct buffer *out, struct text text);
