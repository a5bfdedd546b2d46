#pragma once

#include "admission/answer.h"
#include "admission/config.h"
#include "admission/request.h"
#include "admission/review.h"

// Runs the validators over the object of a CREATE or UPDATE and puts denial, warnings and audit
// annotations into the answer, reports and violations into the decision. Returns 0, or -1 when
// memory is short.
int validate_request(const struct admission_config *config, const struct admission_request *request,
                     struct arena *arena, struct answer *answer, struct decision *decision);
