#pragma once

#include "admission/answer.h"
#include "admission/config.h"
#include "admission/request.h"
#include "admission/review.h"

// Runs the mutators over the Pod of a request and puts patch, warnings and audit annotations into
// the answer, reports into the decision. Does nothing for whatever is no Ray pod being created
// (semantics §1, Decision 2). Returns 0, or -1 when memory is short.
int mutate_request(const struct admission_config *config, const struct admission_request *request,
                   struct arena *arena, struct answer *answer, struct decision *decision);
