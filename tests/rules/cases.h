#pragma once

#include <yyjson.h>

#include "admission/config.h"
#include "tests/rules/values.h"

// The cases of all rules: tests/mutators/<rule>.json. See tests/rules/README.md for the format.
// This header knows no jansson: some of its macros have the names of functions in admission/json.h.

struct mutator;

struct case_file {
  char *path;
  char *rule;  // the file's own idea of it
  yyjson_doc *doc;
  yyjson_val *cases;
};

struct rule_case {
  const struct case_file *file;
  size_t index;  // in the file
  char *name;    // "<rule>: <name of the case>"
  yyjson_val *definition;
};

struct case_list {
  struct case_file *files;
  size_t file_count;
  struct rule_case *cases;
  size_t count;
};

// Reads every file; exits with a message if one is no JSON or a case lacks what it needs.
struct case_list cases_load(void);
void cases_free(struct case_list *list);

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
