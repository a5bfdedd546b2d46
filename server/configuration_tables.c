#include "server/configuration_tables.h"

#include <string.h>

#include "admission/rule.h"

static size_t count_mutators(void) {
  return mutator_count;
}

static struct rule_row mutator_row(size_t index) {
  const struct mutator *mutator = mutators[index];
  return (struct rule_row){mutator->name, mutator->summary, mutator->options, mutator->option_count,
                           1};
}

static struct rule_setting *mutator_settings(const struct ruleset *rules) {
  return rules->mutators;
}

static const struct option mode_option = {
    .key = "mode",
    .type = OPTION_ENUM,
    .names = mutator_mode_names,
    .offset = offsetof(struct rule_setting, mode),
    .help = "audit only says what would have changed",
};

static size_t count_validators(void) {
  return validator_count;
}

// Only a rule that looks at Pods has an action for them.
static struct rule_row validator_row(size_t index) {
  const struct validator *validator = validators[index];
  return (struct rule_row){validator->name, validator->summary, validator->options,
                           validator->option_count,
                           (validator->subjects & SUBJECT_POD) != 0 ? 2 : 1};
}

static struct rule_setting *validator_settings(const struct ruleset *rules) {
  return rules->validators;
}

static const struct option action_options[] = {
    {
        .key = "action",
        .type = OPTION_ENUM,
        .names = validator_action_names,
        .offset = offsetof(struct rule_setting, action),
        .help = "What a violation leads to",
    },
    {
        .key = "podAction",
        .type = OPTION_ENUM,
        .names = validator_action_names,
        .offset = offsetof(struct rule_setting, pod_action),
        .help = "The same for Pods, see podPolicy",
    },
};

const struct rule_table rule_tables[] = {
    {"mutators", "The fixes and their options", &mode_option, count_mutators, mutator_row,
     mutator_settings},
    {"validators", "The rules that specs must keep", action_options, count_validators,
     validator_row, validator_settings},
};
const size_t rule_table_count = COUNT_OF(rule_tables);

static bool consists_of(struct text text, const char *others) {
  for (size_t i = 0; i < text.len; i++) {
    char c = text.data[i];
    bool is_alphanumeric =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!is_alphanumeric && (c == '\0' || strchr(others, c) == NULL)) {
      return false;
    }
  }
  return text.len > 0;
}

// "host:port", ":9443", "[::1]:0"
static bool is_address(struct text text) {
  size_t colon = text.len;
  while (colon > 0 && text.data[colon - 1] != ':') {
    colon--;
  }
  unsigned long long port = 0;
  if (colon == 0 || !text_to_unsigned(text_slice(text, colon, text.len), 65535, &port)) {
    return false;
  }
  struct text host = text_slice(text, 0, colon - 1);
  if (text_starts_with(host, TEXT("[")) && text_ends_with(host, TEXT("]"))) {
    return consists_of(text_slice(host, 1, host.len - 1), ":.%");
  }
  return host.len == 0 || consists_of(host, ".-");
}

static bool is_host_name(struct text text) {
  return consists_of(text, ".-");
}

// Namespace names are DNS labels; '?' and '[' would look like globs and match nothing.
static bool is_namespace_glob(struct text text) {
  for (size_t i = 0; i < text.len; i++) {
    if (text.data[i] >= 'A' && text.data[i] <= 'Z') {
      return false;
    }
  }
  return consists_of(text, "-*");
}

static bool is_user_glob(struct text text) {
  for (size_t i = 0; i < text.len; i++) {
    if ((unsigned char)text.data[i] <= ' ' || text.data[i] == 0x7f) {
      return false;
    }
  }
  return text.len > 0;
}

static bool is_resource_name(struct text text) {
  return consists_of(text, "./-_");
}

static bool is_namespace_or_nothing(struct text text) {
  for (size_t i = 0; i < text.len; i++) {
    if (text.data[i] >= 'A' && text.data[i] <= 'Z') {
      return false;
    }
  }
  return text.len == 0 || (text.len <= 253 && consists_of(text, ".-"));
}

// RFC 1123: lower case. The API server judges the rest.
static bool is_object_name(struct text text) {
  return is_namespace_or_nothing(text) && text.len > 0;
}

static const struct text_check text_checks[] = {
    {"server", "bindAddress", is_address, "host:port, such as \":9443\" or \"127.0.0.1:0\"",
     "^([A-Za-z0-9.-]*|\\[[A-Za-z0-9:.%]+\\]):[0-9]+$"},
    {"server", "healthBindAddress", is_address, "host:port, such as \":8080\" or \"127.0.0.1:0\"",
     "^([A-Za-z0-9.-]*|\\[[A-Za-z0-9:.%]+\\]):[0-9]+$"},
    {"tls", "dnsNames", is_host_name, "a DNS name: letters, digits, - and .", "^[A-Za-z0-9.-]+$"},
    {"certificates", "namespace", is_namespace_or_nothing, "a namespace's name, or nothing",
     "^[a-z0-9.-]{0,253}$"},
    {"certificates", "secret", is_object_name, "the name of a Secret", "^[a-z0-9.-]{1,253}$"},
    {"certificates", "service", is_object_name, "the name of a Service", "^[a-z0-9.-]{1,253}$"},
    {"certificates", "webhooks", is_object_name, "the name of webhook configurations",
     "^[a-z0-9.-]{1,253}$"},
    {"exempt", "namespaces", is_namespace_glob,
     "a namespace's name or a glob: a-z, 0-9, -, and * for any run of characters", "^[a-z0-9*-]+$"},
    {"exempt", "users", is_user_glob,
     "a user's name or a glob without blanks: * stands for any run of characters",
     "^[^\\u0000-\\u0020\\u007f]+$"},
    {"namespaces", "match", is_namespace_glob,
     "a namespace's name or a glob: a-z, 0-9, -, and * for any run of characters", "^[a-z0-9*-]+$"},
    {"", "gpuResources", is_resource_name, "a resource's name, such as gpu.intel.com/xe",
     "^[A-Za-z0-9./_-]+$"},
};

const struct text_check *text_check_find(const char *section, const char *key) {
  for (size_t i = 0; i < COUNT_OF(text_checks); i++) {
    if (strcmp(text_checks[i].section, section) == 0 && strcmp(text_checks[i].key, key) == 0) {
      return &text_checks[i];
    }
  }
  return NULL;
}
