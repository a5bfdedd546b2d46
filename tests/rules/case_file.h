#pragma once

#include <yyjson.h>

#include "admission/arena.h"
#include "tests/rules/values.h"

// Files of cases: a "rule" and a list of its "cases", as mutators and validators have them. What
// the members of a case mean is the business of each kind of rules.
// This header knows no jansson: some of its macros have the names of functions in admission/json.h.

struct option;

// What is a case of one kind of rules.
struct case_format {
  const char *folder;          // of <rule>.json and bases/<name>.json
  const char *const *members;  // all that a case may have; ends with NULL
  // What else must hold for a case; ends the program if it does not. May be NULL.
  void (*check)(const char *path, const char *name, yyjson_val *definition);
};

struct case_file {
  const struct case_format *format;
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

// ---- reading; a mistake in a file ends the program with a message ----

// Reads every file of the folder.
struct case_list cases_load(const struct case_format *format);
void cases_free(struct case_list *list);

// Of `object`, a case or what has the form of one: only `known` members, and either "object" or
// "base".
void case_check_members(const char *path, const char *name, yyjson_val *object,
                        const char *const *known);

_Noreturn void case_reject(const char *path, const char *name, const char *problem);

// ---- the input of a case; a mistake fails the test ----

// bases/<name>.json, parsed. Free the document.
yyjson_doc *case_base(const struct case_format *format, const char *name);

// The object that `form`, the case or a part of it, stands for: its "object", or its "base", with
// "merge" and "edit". Free .data.
struct owned_text case_make_object(const struct rule_case *one, yyjson_val *form);

// The option named `key`; NULL if there is none.
const struct option *case_option(const struct option *rows, size_t count, yyjson_val *key);

// Sets the option of `row` in `options` to a scalar or to a list of them.
void case_set_option(const struct rule_case *one, const struct option *row, void *options,
                     yyjson_val *value, struct arena *arena);

// ---- what holds for all cases; fails the test if it does not ----

void cases_check_names(const struct case_list *list);

// The rule named `rule`, a `kind` such as "mutator", has exactly one file.
void cases_check_rule(const struct case_list *list, const char *kind, const char *rule);

// The file has the name of its rule, and there is a rule of that name.
void case_check_file(const struct case_file *file, const char *kind, bool is_known);

// Reviews a case once, for the test `context`, and checks the answer; true when memory was short.
typedef bool case_attempt(void *context, size_t allocation);

// Attempts with the first allocation failing, then the second and so on until none is left.
void case_fail_allocations(const struct rule_case *one, struct arena *arena, case_attempt *attempt,
                           void *context);
