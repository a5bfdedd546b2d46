#include "server/override.h"

#include <string.h>

#include "server/configuration.h"

static const struct settings_section *find_section(const char *key) {
  for (size_t i = 0; i < settings_section_count; i++) {
    if (strcmp(settings_sections[i].key, key) == 0) {
      return &settings_sections[i];
    }
  }
  return NULL;
}

static const struct option *find_option(const struct settings_section *section, const char *key) {
  for (size_t i = 0; section != NULL && i < section->option_count; i++) {
    if (strcmp(section->options[i].key, key) == 0) {
      return &section->options[i];
    }
  }
  return NULL;
}

int override_apply(struct configuration *configuration, const struct override *overrides,
                   size_t count, struct error *error) {
  for (size_t i = 0; i < count; i++) {
    const struct override *override = &overrides[i];
    const struct settings_section *section = find_section(override->section);
    const struct option *option = find_option(section, override->key);
    if (option == NULL) {
      return error_set(error, "no setting %s.%s", override->section, override->key);
    }
    void *options = (char *)&configuration->settings + section->offset;
    if (option_set(option, options, override->value, configuration->admission->arena, error) != 0) {
      return error_wrap(error, "%s.%s", override->section, override->key);
    }
  }
  return 0;
}
