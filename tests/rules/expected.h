#pragma once

#include <jansson.h>

#include "tests/rules/cases.h"

// What a case expects. Anywhere in its patch {"$script": FILE, "with": {PLACEHOLDER: VALUE},
// "prefix": TEXT, "suffix": TEXT} stands for the text of an injected script.

// The expected operations, with the texts of scripts in their places. New.
json_t *expected_patch(const struct rule_case *one);

// `actual` with a {"$script":…} wherever the case's own patch has one for the same text at the
// same place. New.
json_t *expected_fold(const struct rule_case *one, json_t *actual);
