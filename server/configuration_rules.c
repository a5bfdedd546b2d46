#include "server/configuration_rules.h"

static void read_rule(const struct loader *loader, const struct rule_table *table,
                      const struct rule_row *row, struct node *node, const struct path *path,
                      struct rule_setting *setting) {
  const struct option_target targets[] = {
      {.section = NULL, .rows = table->setting_rows, .count = row->setting_count, .base = setting},
      {.section = NULL, .rows = row->options, .count = row->option_count, .base = setting->options},
  };
  loader_read_options(loader, node, path, targets, sizeof targets / sizeof targets[0]);
}

void loader_read_rules(const struct loader *loader, const struct rule_table *table,
                       struct node *node, const struct path *path, const struct ruleset *rules) {
  if (!loader_expects(loader, node, NODE_MAPPING, path, "a mapping of rule names")) {
    return;
  }
  size_t count = table->count();
  const char **names = loader_names(loader, count);
  if (names == NULL) {
    return;
  }
  for (size_t i = 0; i < count; i++) {
    names[i] = table->row(i).name;
  }
  loader_check_keys(loader, node, path, names, count);
  for (const struct node *key = node->first; key != NULL; key = key->next->next) {
    for (size_t i = 0; i < count && key->type == NODE_SCALAR; i++) {
      if (text_equals(key->text, text_of(names[i]))) {
        struct path at = {.parent = path, .key = key->text};
        struct rule_row row = table->row(i);
        read_rule(loader, table, &row, key->next, &at, &table->settings(rules)[i]);
      }
    }
  }
}

static void read_override(const struct loader *loader, struct node *node, const struct path *path,
                          struct namespace_override *override) {
  const char **names = loader_names(loader, rule_table_count + 1);
  if (names == NULL) {
    return;
  }
  names[0] = "match";
  for (size_t i = 0; i < rule_table_count; i++) {
    names[i + 1] = rule_tables[i].key;
  }
  loader_check_keys(loader, node, path, names, rule_table_count + 1);

  const struct node *match = node_get(node, "match");
  struct path match_path = {.parent = path, .key = TEXT("match")};
  const struct text_check *check = text_check_find("namespaces", "match");
  if (match == NULL || node_is_null(match)) {
    mistakes_add(loader->mistakes, node->line, node->column, &match_path,
                 "found nothing, wanted %s", check->wanted);
  } else {
    override->match = loader_read_text(loader, check, match, &match_path);
  }
  for (size_t i = 0; i < rule_table_count; i++) {
    struct node *rules = node_get(node, rule_tables[i].key);
    if (rules != NULL) {
      struct path at = {.parent = path, .key = text_of(rule_tables[i].key)};
      loader_read_rules(loader, &rule_tables[i], rules, &at, &override->rules);
    }
  }
}

void loader_read_namespaces(const struct loader *loader, struct node *node, const struct path *path,
                            struct admission_config *config) {
  if (!loader_expects(loader, node, NODE_LIST, path, "a list of overrides")) {
    return;
  }
  if (node->count > NAMESPACE_OVERRIDES_MAX) {
    mistakes_add(loader->mistakes, node->line, node->column, path,
                 "found %zu overrides, wanted at most %d", node->count, NAMESPACE_OVERRIDES_MAX);
    return;
  }
  config->overrides = arena_calloc(loader->arena, node->count, sizeof *config->overrides);
  if (config->overrides == NULL) {
    loader->mistakes->out_of_memory = true;
    return;
  }
  size_t index = 0;
  for (struct node *item = node->first; item != NULL; item = item->next) {
    struct path at = {.parent = path, .index = index++};
    struct namespace_override *override = &config->overrides[config->override_count];
    if (node_is_null(item)) {
      mistakes_add(loader->mistakes, item->line, item->column, &at,
                   "found null, wanted a mapping with match");
    } else if (!loader_expects(loader, item, NODE_MAPPING, &at, "a mapping with match")) {
      continue;
    } else if (admission_config_copy_rules(config, &config->rules, &override->rules) != 0) {
      loader->mistakes->out_of_memory = true;
      return;
    } else {
      config->override_count++;
      read_override(loader, item, &at, override);
    }
  }
}
