#pragma once

#include "admission/config.h"
#include "tests/rules/case_file.h"

// The cases of all mutators: tests/mutators/<rule>.json. See tests/rules/README.md for the format.

struct mutator;

extern const struct case_format mutator_cases;

// The mutator that a file is about; NULL if the table has none of that name.
const struct mutator *case_mutator(const struct case_file *file);

// The pod of a case: its "object", or its "base" with "merge" and "edit". Free .data.
struct owned_text case_object(const struct rule_case *one);

// Only the case's rule is on, with the case's options; "settings" are those that all rules share.
struct admission_config *case_config(const struct rule_case *one);

// The case's own members of the request; NULL if it has none.
yyjson_val *case_request(const struct rule_case *one);

// The expected operations as they are written in the case; NULL if it expects none.
yyjson_val *case_written_patch(const struct rule_case *one);

// The expected note; NULL if the case expects none in particular.
const char *case_note(const struct rule_case *one);
