#pragma once

// The one header that a rule includes. To add a fix: write mutators/<name>.c that ends in
// `const struct mutator mutator_<name> = {…};`, tests/mutators/<name>.json with its cases, and a
// row in mutators/README.md; for a rule that refuses, the same in validators/. The build finds the
// file and generates the table; file name = rule name ('_' for '-') = symbol suffix.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admission/config.h"
#include "admission/container_resources.h"
#include "admission/findings.h"
#include "admission/gcs_address.h"
#include "admission/group_text.h"
#include "admission/json.h"
#include "admission/option.h"
#include "admission/patch.h"
#include "admission/pod.h"
#include "admission/quantity.h"
#include "admission/subject.h"
#include "admission/text.h"
#include "admission/toleration.h"
#include "admission/value.h"
#include "admission/worker_count.h"
#include "scripts.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

// A fix for pods. Mutators are independent: they touch disjoint places, so their order does not
// matter, and each does nothing on its own output.
struct mutator {
  const char *name;
  const char *summary;  // one line, shown by `rayfix rules`
  enum mutator_mode default_mode;
  const struct option *options;  // rows of the options struct; NULL if there is none
  size_t option_count;
  size_t options_size;

  // Does this pod concern the rule? Cheap, no side effect. The engine has already settled that
  // it is a Ray pod with containers, not terminating, not a mirror, not on Windows.
  bool (*applies)(const struct pod_view *pod, const void *options);

  // Writes the operations.
  void (*apply)(const struct pod_view *pod, const void *options, struct patch *patch);
};

// Generated from the folder mutators/, sorted by name.
extern const struct mutator *const mutators[];
extern const size_t mutator_count;

// ---- validators ----

// A rule that specs must keep. It reads a subject and reports findings; it decides nothing: the
// action in the configuration does, and on an UPDATE the ratchet (semantics §4.4, §4.5).
struct validator {
  const char *id;  // "V01", as semantics §4.4 numbers them
  const char *name;
  const char *summary;  // one line, shown by `rayfix rules`
  const char *why;      // a paragraph for `rayfix explain`
  const char *source;   // where the rule comes from
  unsigned subjects;    // enum subject_kind bits
  enum validator_action default_action;
  enum validator_action default_pod_action;  // for Pods; see podPolicy
  const struct option *options;
  size_t option_count;
  size_t options_size;

  // Reports what is wrong with one object by itself.
  void (*check)(const struct subject *subject, const void *options, struct findings *findings);

  // Reports what is wrong with a change; NULL for rules about single objects. Its findings are not
  // subject to the ratchet.
  void (*check_change)(const struct subject *old_subject, const struct subject *subject,
                       const void *options, struct findings *findings);
};

// Generated from the folder validators/, sorted by name.
extern const struct validator *const validators[];
extern const size_t validator_count;
