#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <yyjson.h>

#include "admission/config.h"
#include "tests/rules/values.h"

// The cases of all validators: tests/validators/<rule>.json. See tests/validators/README.md for the
// format. This header knows no jansson: see verdict.h.

struct validator;

struct case_file {
  char *path;
  char *rule;  // the file's own idea of it
  yyjson_doc *doc;
  yyjson_val *cases;
};

struct rule_case {
  const struct case_file *file;
  char *name;  // "<rule>: <name of the case>"
  yyjson_val *definition;
};

struct case_list {
  struct case_file *files;
  size_t file_count;
  struct rule_case *cases;
  size_t count;
};

// Reads every file; exits with a message if one is no JSON or a case has a member that is not
// known or lacks one that it needs.
struct case_list cases_load(void);
void cases_free(struct case_list *list);

// The validator that a file is about; NULL if the table has none of that name.
const struct validator *case_validator(const struct case_file *file);

// The AdmissionReview of a case. Free .data.
struct owned_text case_body(const struct rule_case *one);

// Only the case's rule is on, with the case's options. Free as any configuration.
struct admission_config *case_config(const struct rule_case *one);

// What a case expects. A list that the case does not have is NULL.
bool case_allowed(const struct rule_case *one);
yyjson_val *case_expected(const struct rule_case *one, const char *list);

// tests/validators/bases/<name>.json, parsed; ends the test if there is none. Free the document.
yyjson_doc *base_read(const char *name);
