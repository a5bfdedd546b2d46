#include "tests/validators/everything.h"

#include <check.h>

#include "admission/rule.h"

struct admission_config *everything_config(void) {
  struct error error;
  struct admission_config *config = admission_config_new(&error);
  ck_assert_msg(config != NULL, "%s", error.text);
  for (size_t i = 0; i < validator_count; i++) {
    config->rules.validators[i].action = ACTION_DENY;
    config->rules.validators[i].pod_action = ACTION_DENY;
  }
  config->pod_policy = POD_POLICY_HARD;
  return config;
}
