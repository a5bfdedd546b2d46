#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "admission/arena.h"
#include "admission/quantity.h"
#include "admission/text.h"

// What validators have to say. All findings are collected; the answer lists every one.

enum finding_level {
  FINDING_VIOLATION,  // the rule's action decides: deny, warn or audit
  FINDING_ADVICE,     // a warning at most, whatever the action
};

struct finding {
  enum finding_level level;
  struct text path;     // spec.workerGroupSpecs[1].template.spec.containers[0].resources.limits.cpu
  struct text message;  // what is wrong, as semantics §4.4 words it
  struct text found;
  struct text wanted;
  struct text fix;  // what to do; names the option that raises a limit
  // Which thing this is about, the same in the old and in the new object though indexes move:
  // group, container. With the rule's name it is the key of the ratchet (semantics §4.5).
  struct text key;
  int128 measure;  // how bad; larger is worse. 0 for what is only there or not
  bool taken;      // by findings_take()
};

struct findings;

// An empty list in `arena`; NULL when memory is short.
struct findings *findings_new(struct arena *arena);

// Adds one finding. Memory failures are remembered (findings_failed()), so rules check nothing.
// Beyond the maximum findings are counted, not kept, and findings_text() makes no more texts: a
// hostile object of a few megabytes must not fill the arena. A rule that leaves some out counts as
// violated by something new (validate.c), since the ratchet cannot have seen them.
#define FINDINGS_MAX 2000  // of one rule in one object
void findings_add(struct findings *findings, struct finding finding);

// An arena-owned text for a finding; .data NULL and the failure remembered when memory is short.
__attribute__((format(printf, 2, 3))) struct text findings_text(struct findings *findings,
                                                                const char *format, ...);

// "a.b" of two paths of which either may be empty.
struct text findings_path(struct findings *findings, struct text parent, const char *child);

bool findings_failed(const struct findings *findings);
size_t findings_count(const struct findings *findings);  // that are kept
size_t findings_left_out(const struct findings *findings);
const struct finding *findings_get(const struct findings *findings, size_t index);

// ---- the ratchet (semantics §4.5) ----

// Puts the findings in the order of their keys, so that findings_take() can look them up. Call it
// once, on the findings of the old object. Indexes change.
void findings_sort(struct findings *findings);

// True if `old` (sorted) has a finding with this key that is at least as bad; what was only advice
// does not cover a violation. Each old finding
// answers for one new finding, so that a copy of a bad group is a new violation.
bool findings_take(struct findings *old, const struct finding *finding);
