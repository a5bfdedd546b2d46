#pragma once

#include "admission/config.h"
#include "server/configuration_read.h"
#include "server/configuration_tables.h"

// Reads the mapping under a rule table's key: rule names, each with its mode and options.
void loader_read_rules(const struct loader *loader, const struct rule_table *table,
                       struct node *node, const struct path *path, const struct ruleset *rules);

// Reads the list under `namespaces`. Each override starts from the configuration's own rules,
// which must therefore have been read before.
void loader_read_namespaces(const struct loader *loader, struct node *node, const struct path *path,
                            struct admission_config *config);
