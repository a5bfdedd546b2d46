#include "cli/audit_config.h"

#include <jansson.h>
#include <stdio.h>

#include "cli/flags.h"
#include "cli/input.h"
#include "cluster/calls.h"

// For one object; a person waits.
#define BUDGET_MS 20000U

static int load_file(const char *file, struct audit_config *config) {
  int status = EXIT_IO;
  config->configuration = input_configuration(file, &status);
  config->source = file == NULL ? "defaults" : "file";
  snprintf(config->name, sizeof config->name, "%s", file == NULL ? "" : file);
  return config->configuration == NULL ? status : FLAGS_GO_ON;
}

// With a mistake in it the server goes on with what it had before, and nobody here knows that.
static int parse(const json_t *object, struct audit_config *config) {
  const json_t *text = json_object_get(json_object_get(object, "data"), AUDIT_CONFIG_KEY);
  if (!json_is_string(text)) {
    fprintf(stderr, "rayfix audit: %s has no key " AUDIT_CONFIG_KEY "; --config takes a file\n",
            config->name);
    return EXIT_USAGE;
  }
  char place[sizeof config->name + sizeof AUDIT_CONFIG_KEY + 2];
  snprintf(place, sizeof place, "%s: " AUDIT_CONFIG_KEY, config->name);
  config->configuration =
      input_configuration_text(place, json_string_value(text), json_string_length(text));
  return config->configuration == NULL ? EXIT_USAGE : FLAGS_GO_ON;
}

int audit_config_load(struct cluster *cluster, const char *file, const char *namespace_,
                      struct audit_config *ret_config) {
  *ret_config = (struct audit_config){.source = "config-map"};
  if (file != NULL) {
    return load_file(file, ret_config);
  }
  json_auto_t *object = NULL;
  struct fault fault;
  snprintf(ret_config->name, sizeof ret_config->name, "ConfigMap/" AUDIT_CONFIG_MAP " in %s",
           namespace_);
  if (cluster_get(cluster, &resource_configmaps, namespace_, AUDIT_CONFIG_MAP, BUDGET_MS, &object,
                  &fault) == 0) {
    return parse(object, ret_config);
  }
  if (fault.kind != FAULT_NOT_FOUND && fault.kind != FAULT_FORBIDDEN) {
    fprintf(stderr, "rayfix audit: %s (%s)\n", fault.error.text, cluster_origin(cluster));
    return EXIT_IO;
  }
  ret_config->note = fault.error;
  return load_file(NULL, ret_config);
}

void audit_config_free(struct audit_config *config) {
  configuration_free(config->configuration);
}
