#include "tests/rules/table.h"

#include <check.h>
#include <string.h>

#include "admission/rule.h"

size_t table_size(void) {
  return mutator_count;
}

const char *table_name(size_t index) {
  return mutators[index]->name;
}

struct admission_config *table_config(const char *rule) {
  struct error error;
  struct admission_config *config = admission_config_new(&error);
  ck_assert_msg(config != NULL, "%s", error.text);
  for (size_t i = 0; rule != NULL && i < mutator_count; i++) {
    if (strcmp(mutators[i]->name, rule) != 0) {
      config->rules.mutators[i].mode = MODE_OFF;
    }
  }
  return config;
}
