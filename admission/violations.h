#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "admission/answer.h"
#include "admission/review.h"
#include "admission/rule.h"

// Findings after the configuration and the ratchet have decided what each of them means, and the
// words in which they reach a person.

struct violations;

// An empty list in `arena`; NULL when memory is short.
struct violations *violations_new(struct arena *arena);

// `there_before`: the ratchet found it in the old object too. Memory failures are remembered.
void violations_add(struct violations *violations, const struct validator *validator,
                    const struct finding *finding, enum validator_action action, bool there_before);

// The strongest result of one rule.
enum rule_result violations_result(const struct violations *violations,
                                   const struct validator *validator);

// Fills answer and decision. Returns 0, or -1 when memory was short anywhere.
int violations_answer(struct violations *violations, const struct subject *subject,
                      struct answer *answer, struct decision *decision);
