#pragma once

#include <stdint.h>

#include "admission/review.h"

// One line for a decision: uid, kind, operation, namespace, name, user, allowed, code, which rules
// acted. Never a value out of the object. Denials are written at least at level info, all others at
// log.decisions.
void decision_log(const struct decision *decision, const char *path, int64_t microseconds);
