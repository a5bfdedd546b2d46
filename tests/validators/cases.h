#pragma once

#include <stdbool.h>

#include "admission/config.h"
#include "tests/rules/case_file.h"

// The cases of all validators: tests/validators/<rule>.json. See tests/validators/README.md for the
// format.

struct validator;

extern const struct case_format validator_cases;

// The validator that a file is about; NULL if the table has none of that name.
const struct validator *case_validator(const struct case_file *file);

// The AdmissionReview of a case. Free .data.
struct owned_text case_body(const struct rule_case *one);

// Only the case's rule is on, with the case's options. Free as any configuration.
struct admission_config *case_config(const struct rule_case *one);

// What a case expects. A list that the case does not have is NULL.
bool case_allowed(const struct rule_case *one);
yyjson_val *case_expected(const struct rule_case *one, const char *list);
