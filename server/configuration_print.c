#include <string.h>

#include "admission/config_options.h"
#include "admission/option_text.h"
#include "server/configuration_tables.h"

// Comments are filled up to this column.
#define COMMENT_WIDTH 90

static void indent_by(size_t indent, struct buffer *out) {
  buffer_printf(out, "%*s", (int)indent, "");
}

// Writes `comment` as "# …" lines that break at blanks.
static void print_comment(struct text comment, size_t indent, struct buffer *out) {
  size_t width = COMMENT_WIDTH - indent;
  size_t start = 0;
  while (start < comment.len) {
    size_t end = comment.len;
    if (end - start > width) {
      end = start + width;
      while (end > start && comment.data[end] != ' ') {
        end--;
      }
      end = end == start ? comment.len : end;
    }
    indent_by(indent, out);
    buffer_printf(out, "# %.*s\n", TEXT_ARG(text_slice(comment, start, end)));
    start = end + 1;
  }
}

static void print_names(const struct option *row, struct buffer *out) {
  buffer_append_text(out, row->type == OPTION_ENUM ? TEXT("One of ") : TEXT("Some of "));
  for (size_t i = 0; row->names[i] != NULL; i++) {
    buffer_printf(out, "%s%s", i == 0 ? "" : ", ", row->names[i]);
  }
  buffer_append_text(out, TEXT("."));
}

// Help, and what values are possible.
static void print_help(const struct option *row, size_t indent, struct buffer *out) {
  buffer_auto comment = {.max = 4096};
  char range[OPTION_RANGE_TEXT_MAX];
  option_range_text(row, range);
  buffer_printf(&comment, "%s.", row->help == NULL ? row->key : row->help);
  if (row->names != NULL) {
    buffer_append_text(&comment, TEXT(" "));
    print_names(row, &comment);
  }
  if (range[0] != '\0') {
    buffer_printf(&comment, " F%s.", range + 1);
  }
  print_comment((struct text){comment.data, comment.len}, indent, out);
}

static void print_options(const struct option *rows, size_t count, const void *base, size_t indent,
                          struct buffer *out) {
  for (size_t i = 0; i < count; i++) {
    print_help(&rows[i], indent, out);
    indent_by(indent, out);
    buffer_printf(out, "%s: ", rows[i].key);
    option_print(&rows[i], base, out);
    buffer_append_text(out, TEXT("\n"));
  }
}

static void print_rules(const struct ruleset *rules, size_t indent, struct buffer *out) {
  for (size_t t = 0; t < rule_table_count; t++) {
    const struct rule_table *table = &rule_tables[t];
    print_comment(text_of(table->help), indent, out);
    indent_by(indent, out);
    buffer_printf(out, "%s:%s\n", table->key, table->count() == 0 ? " {}" : "");
    for (size_t i = 0; i < table->count(); i++) {
      struct rule_row row = table->row(i);
      const struct rule_setting *setting = &table->settings(rules)[i];
      print_comment(text_of(row.summary), indent + 2, out);
      indent_by(indent + 2, out);
      buffer_printf(out, "%s:\n", row.name);
      print_options(table->setting_rows, row.setting_count, setting, indent + 4, out);
      print_options(row.options, row.option_count, setting->options, indent + 4, out);
    }
    buffer_append_text(out, TEXT("\n"));
  }
}

static void print_namespaces(const struct admission_config *config, struct buffer *out) {
  static const char help[] =
      "Overrides by namespace: a name or a glob. The last one that matches wins, alone; what it "
      "does not set is as above. For example: "
      "{match: \"team-*\", mutators: {wait-gcs: {mode: audit}}}";
  print_comment(TEXT(help), 0, out);
  if (config->override_count == 0) {
    buffer_append_text(out, TEXT("namespaces: []\n\n"));
    return;
  }
  buffer_append_text(out, TEXT("namespaces:\n"));
  for (size_t i = 0; i < config->override_count; i++) {
    buffer_append_text(out, TEXT("  - match: "));
    option_print_text(config->overrides[i].match, out);
    buffer_append_text(out, TEXT("\n"));
    print_rules(&config->overrides[i].rules, 4, out);
  }
}

void configuration_print(const struct configuration *configuration, struct buffer *out) {
  const struct admission_config *config = configuration->admission;
  buffer_printf(out, "apiVersion: %s\nkind: %s\n\n", CONFIGURATION_API_VERSION, CONFIGURATION_KIND);
  for (size_t i = 0; i < settings_section_count; i++) {
    const struct settings_section *section = &settings_sections[i];
    print_comment(text_of(section->help), 0, out);
    buffer_printf(out, "%s:\n", section->key);
    print_options(section->options, section->option_count,
                  (const char *)&configuration->settings + section->offset, 2, out);
    buffer_append_text(out, TEXT("\n"));
  }
  print_rules(&config->rules, 0, out);
  print_namespaces(config, out);
  buffer_append_text(out, TEXT("# What is allowed without a look\nexempt:\n"));
  print_options(exempt_options, exempt_option_count, config, 2, out);
  buffer_append_text(out, TEXT("\n"));
  print_options(admission_options, admission_option_count, config, 0, out);
}

void configuration_print_defaults(struct buffer *out) {
  buffer_auto mistakes = {.max = 0};
  bool unreadable = false;
  struct configuration *defaults = configuration_load(NULL, &mistakes, &unreadable);
  if (defaults == NULL) {
    out->failed = true;  // memory is short
    return;
  }
  configuration_print(defaults, out);
  configuration_free(defaults);
}
