#include "server/configuration.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admission/config_options.h"
#include "server/configuration_rules.h"
#include "server/configuration_tables.h"
#include "server/fd.h"

// The tree of a file at its bounds, and its mistakes.
#define SCRATCH_FIRST_CHUNK (size_t)(64 * 1024)
#define SCRATCH_MAX_BYTES (size_t)(64 * 1024 * 1024)

// All mistakes as text.
#define MISTAKES_TEXT_MAX (size_t)(1024 * 1024)

static struct configuration *new_configuration(struct buffer *ret_mistakes) {
  struct error error;
  struct configuration *configuration = calloc(1, sizeof *configuration);
  if (configuration == NULL) {
    buffer_printf(ret_mistakes, "configuration: out of memory\n");
    return NULL;
  }
  configuration->admission = admission_config_new(&error);
  if (configuration->admission == NULL ||
      settings_defaults(&configuration->settings, configuration->admission->arena, &error) != 0) {
    buffer_printf(ret_mistakes, "configuration: %s\n", error.text);
    configuration_free(configuration);
    return NULL;
  }
  return configuration;
}

void configuration_free(struct configuration *configuration) {
  if (configuration != NULL) {
    admission_config_free(configuration->admission);
    free(configuration);
  }
}

static void check_header(const struct loader *loader, const struct node *root, const char *key,
                         const char *wanted) {
  const struct node *node = node_get(root, key);
  struct path path = {.key = text_of(key)};
  if (node == NULL || node_is_null(node)) {
    mistakes_add(loader->mistakes, root->line, root->column, &path, "found nothing, wanted %s",
                 wanted);
  } else if (node->type != NODE_INVALID && !text_equals(node->text, text_of(wanted))) {
    mistakes_add(loader->mistakes, node->line, node->column, &path, "found %s, wanted %s",
                 node_describe(node, loader->scratch), wanted);
  }
}

static void check_root_keys(const struct loader *loader, struct node *root) {
  static const char *const fixed[] = {"apiVersion", "kind", "namespaces", "exempt"};
  const size_t fixed_count = sizeof fixed / sizeof fixed[0];
  size_t count = fixed_count + settings_section_count + rule_table_count + admission_option_count;
  const char **names = loader_names(loader, count);
  if (names == NULL) {
    return;
  }
  size_t used = 0;
  for (size_t i = 0; i < fixed_count; i++) {
    names[used++] = fixed[i];
  }
  for (size_t i = 0; i < settings_section_count; i++) {
    names[used++] = settings_sections[i].key;
  }
  for (size_t i = 0; i < rule_table_count; i++) {
    names[used++] = rule_tables[i].key;
  }
  for (size_t i = 0; i < admission_option_count; i++) {
    names[used++] = admission_options[i].key;
  }
  loader_check_keys(loader, root, NULL, names, count);
}

static void read_settings(const struct loader *loader, const struct node *root,
                          struct settings *settings) {
  for (size_t i = 0; i < settings_section_count; i++) {
    const struct settings_section *section = &settings_sections[i];
    struct node *node = node_get(root, section->key);
    struct path path = {.key = text_of(section->key)};
    struct option_target target = {section->key, section->options, section->option_count,
                                   (char *)settings + section->offset};
    if (node != NULL) {
      loader_read_options(loader, node, &path, &target, 1);
    }
  }
}

static void read_admission(const struct loader *loader, const struct node *root,
                           struct admission_config *config) {
  for (size_t i = 0; i < admission_option_count; i++) {
    const struct option *row = &admission_options[i];
    const struct node *node = node_get(root, row->key);
    struct path path = {.key = text_of(row->key)};
    if (node != NULL) {
      loader_read_option(loader, "", row, config, node, &path);
    }
  }
  struct node *exempt = node_get(root, "exempt");
  struct path exempt_path = {.key = TEXT("exempt")};
  struct option_target target = {"exempt", exempt_options, exempt_option_count, config};
  if (exempt != NULL) {
    loader_read_options(loader, exempt, &exempt_path, &target, 1);
  }
  for (size_t i = 0; i < rule_table_count; i++) {
    struct node *node = node_get(root, rule_tables[i].key);
    struct path path = {.key = text_of(rule_tables[i].key)};
    if (node != NULL) {
      loader_read_rules(loader, &rule_tables[i], node, &path, &config->rules);
    }
  }
  struct node *namespaces = node_get(root, "namespaces");
  struct path namespaces_path = {.key = TEXT("namespaces")};
  if (namespaces != NULL) {
    loader_read_namespaces(loader, namespaces, &namespaces_path, config);
  }
}

static void read_root(const struct loader *loader, struct node *root,
                      struct configuration *configuration) {
  static const char wanted[] =
      "a mapping with apiVersion: " CONFIGURATION_API_VERSION " and kind: " CONFIGURATION_KIND;
  if (root == NULL || node_is_null(root)) {
    if (loader->mistakes->count == 0) {
      mistakes_add(loader->mistakes, 1, 1, NULL, "found nothing, wanted %s", wanted);
    }
    return;
  }
  if (!loader_expects(loader, root, NODE_MAPPING, NULL, wanted)) {
    return;
  }
  check_root_keys(loader, root);
  check_header(loader, root, "apiVersion", CONFIGURATION_API_VERSION);
  check_header(loader, root, "kind", CONFIGURATION_KIND);
  read_settings(loader, root, &configuration->settings);
  read_admission(loader, root, configuration->admission);
  configuration_check(configuration, root, loader->mistakes);
}

struct configuration *configuration_parse(const char *name, const char *text, size_t len,
                                          struct buffer *ret_mistakes) {
  if (ret_mistakes->max == 0) {
    ret_mistakes->max = MISTAKES_TEXT_MAX;
  }
  if (len > CONFIGURATION_MAX_BYTES) {
    buffer_printf(ret_mistakes,
                  "%s:1:1: configuration: found more than 1 MiB, wanted at most %zu"
                  " bytes\n",
                  name, CONFIGURATION_MAX_BYTES);
    return NULL;
  }
  struct configuration *configuration = new_configuration(ret_mistakes);
  struct arena *scratch = arena_new(SCRATCH_FIRST_CHUNK, SCRATCH_MAX_BYTES);
  if (configuration == NULL || scratch == NULL) {
    arena_free(scratch);
    configuration_free(configuration);
    buffer_printf(ret_mistakes, "%s: out of memory\n", name);
    return NULL;
  }
  struct mistakes mistakes = {.file = name, .arena = scratch};
  struct loader loader = {&mistakes, scratch, configuration->admission->arena};
  struct node *root = yaml_read(text, len, scratch, &mistakes);
  read_root(&loader, root, configuration);
  bool is_good = mistakes.count == 0 && !mistakes.out_of_memory;
  if (!is_good) {
    mistakes_print(&mistakes, ret_mistakes);
    configuration_free(configuration);
  }
  arena_free(scratch);
  return is_good ? configuration : NULL;
}

struct configuration *configuration_load(const char *path, struct buffer *ret_mistakes,
                                         bool *ret_unreadable) {
  *ret_unreadable = false;
  if (ret_mistakes->max == 0) {
    ret_mistakes->max = MISTAKES_TEXT_MAX;
  }
  if (path == NULL) {
    return new_configuration(ret_mistakes);
  }
  // One byte more than is allowed, so that the reader can tell.
  buffer_auto text = {.max = CONFIGURATION_MAX_BYTES + 1};
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  int result = fd < 0 ? -1 : fd_read(fd, &text);
  int reason = errno;
  if (fd >= 0) {
    close(fd);
  }
  if (result != 0) {
    *ret_unreadable = true;
    buffer_printf(ret_mistakes, "%s: cannot read the configuration: %s\n", path, strerror(reason));
    return NULL;
  }
  return configuration_parse(path, text.data == NULL ? "" : text.data, text.len, ret_mistakes);
}
