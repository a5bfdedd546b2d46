#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "admission/arena.h"
#include "admission/buffer.h"
#include "admission/config.h"
#include "admission/text.h"

// From bytes to bytes: everything that rayfix decides is decided here, without a socket, clock,
// file or global state. The server, the offline verbs, the fuzzers and most tests call this.

enum admission_phase { PHASE_MUTATE, PHASE_VALIDATE };

// What to answer with. `out` holds the body in the first two cases.
enum admission_status {
  ADMISSION_ANSWERED,       // HTTP 200: an AdmissionReview, allowed or not
  ADMISSION_BAD_REQUEST,    // HTTP 400: no uid could be found, so a metav1.Status
  ADMISSION_OUT_OF_MEMORY,  // HTTP 503 with Retry-After: the machine is short, not the limit
};

enum rule_result {
  RULE_NOT_APPLICABLE,  // the rule looked and had nothing to do
  RULE_APPLIED,
  RULE_AUDITED,  // would have acted, mode audit
  RULE_SKIPPED,  // opted out by annotation, or refused because of a wrong type
  RULE_OFF,
  RULE_WARNED,  // a validator's finding became a warning
  RULE_DENIED,
  RULE_RESULT_COUNT,
};
extern const char *const rule_result_names[RULE_RESULT_COUNT];

// What one rule did, in the order of the generated table.
struct rule_report {
  const char *rule;
  enum rule_result result;
  size_t operations;
  struct text note;  // why it left the object alone, for the debug log; often empty
};

// One finding of a validator and what became of it. Texts as in struct finding (findings.h).
struct violation {
  const char *rule;
  const char *id;
  int action;         // enum validator_action
  bool there_before;  // the old object had it too (semantics §4.5)
  struct text path;
  struct text message;
  struct text found;
  struct text wanted;
  struct text fix;
};

// What was decided, for logs, metrics and the offline verbs. All texts are borrowed from the
// arena or the input and end with them.
struct decision {
  struct text uid;
  struct text kind;       // of the object, e.g. "Pod"
  struct text operation;  // "CREATE"…
  struct text namespace_name;
  struct text name;  // or generateName
  struct text user;
  bool dry_run;
  bool allowed;
  int code;             // of a denial, else 200
  struct text message;  // of a denial, else empty
  struct text reason;   // why nothing was looked at ("exempt namespace"…), else empty
  struct text patch;    // JSON Patch text, empty without changes
  size_t patch_operations;
  const struct rule_report *reports;
  size_t report_count;  // 0 when nothing was looked at
  const struct violation *violations;
  size_t violation_count;
};

// The most a review's memory may grow to: a 32 MiB body of nothing but small values needs about
// twelve times its size.
#define ADMISSION_ARENA_MAX ((size_t)512 << 20)

// What is kept between requests; enough for the review of an ordinary pod.
#define ADMISSION_ARENA_FIRST ((size_t)256 << 10)

// Bodies above this are refused: the largest review that the API server can send is about 27 MB
// (protocol §1.12).
#define ADMISSION_BODY_MAX ((size_t)32 << 20)

// Judges one AdmissionReview. `arena` is reset first and holds what `ret_decision` points to.
// `out` is appended to; with ADMISSION_OUT_OF_MEMORY its content is to be thrown away.
enum admission_status admission_review(const struct admission_config *config,
                                       enum admission_phase phase, struct arena *arena,
                                       const char *in, size_t len, struct buffer *out,
                                       struct decision *ret_decision);

// The answer for a body that was too large to be kept: `head` is its beginning, in which the uid
// is looked for. Returns ADMISSION_ANSWERED (a denial with code 413) or ADMISSION_BAD_REQUEST (a
// Status with code 413), or ADMISSION_OUT_OF_MEMORY.
enum admission_status admission_refuse_oversize(const char *head, size_t len, struct buffer *out);
