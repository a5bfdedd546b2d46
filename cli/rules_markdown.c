#include "admission/option_text.h"
#include "cli/rule_entry.h"

// docs/rules.md is this page; a test compares them.

// A cell of a table, or a paragraph: '|' ends a cell and '<' begins HTML.
static void put_prose(struct buffer *out, const char *text) {
  for (; *text != '\0'; text++) {
    if (*text == '|') {
      buffer_append_text(out, TEXT("\\|"));
    } else if (*text == '<') {
      buffer_append_text(out, TEXT("&lt;"));
    } else if (*text == '*' || *text == '_') {
      buffer_printf(out, "\\%c", *text);
    } else {
      buffer_append(out, text, 1);
    }
  }
}

static void put_row(struct buffer *out, const struct rule_entry *rule) {
  if (rule->is_validator) {
    buffer_printf(out, "| %s | [`%s`](#%s) | ", rule->id, rule->name, rule->name);
    put_prose(out, rule->summary);
    buffer_printf(out, " | %s | %s |\n", rule->setting,
                  rule->pod_setting == NULL ? "–" : rule->pod_setting);
    return;
  }
  buffer_printf(out, "| [`%s`](#%s) | ", rule->name, rule->name);
  put_prose(out, rule->summary);
  buffer_printf(out, " | %s |\n", rule->setting);
}

static void put_table(struct buffer *out, bool of_validators) {
  buffer_append_text(out, of_validators ? TEXT("| id | rule | what it wants | action | Pods |\n"
                                               "|---|---|---|---|---|\n")
                                        : TEXT("| fix | what it does | mode |\n|---|---|---|\n"));
  for (size_t i = 0; i < rule_entry_count(); i++) {
    struct rule_entry rule = rule_entry_at(i);
    if (rule.is_validator == of_validators) {
      put_row(out, &rule);
    }
  }
}

static void put_values(struct buffer *out, const struct option *option) {
  char range[OPTION_RANGE_TEXT_MAX];
  option_range_text(option, range);
  buffer_printf(out, "%s%s%s", rule_option_type(option), range[0] == '\0' ? "" : " ", range);
  for (size_t i = 0; option->names != NULL && option->names[i] != NULL; i++) {
    buffer_printf(out, "%s`%s`", i == 0 ? ": " : ", ", option->names[i]);
  }
}

static void put_options(struct buffer *out, const struct rule_entry *rule) {
  if (rule->option_count == 0) {
    return;
  }
  buffer_append_text(out, TEXT("\n| option | type | default | what it is |\n|---|---|---|---|\n"));
  for (size_t i = 0; i < rule->option_count; i++) {
    const struct option *option = &rule->options[i];
    bool empty = option->fallback == NULL || option->fallback[0] == '\0';
    buffer_printf(out, "| `%s` | ", option->key);
    put_values(out, option);
    buffer_printf(out, empty ? " | none%s | " : " | `%s` | ", empty ? "" : option->fallback);
    put_prose(out, option->help);
    buffer_append_text(out, TEXT(" |\n"));
  }
}

static void put_section(struct buffer *out, const struct rule_entry *rule) {
  buffer_printf(out, "\n### %s\n\n", rule->name);
  if (rule->is_validator) {
    buffer_printf(out, "%s: ", rule->id);
  }
  put_prose(out, rule->summary);
  buffer_append_text(out, TEXT(".\n"));
  if (rule->is_validator) {
    buffer_append_text(out, TEXT("\n"));
    put_prose(out, rule->why);
    buffer_append_text(out, TEXT("\n\nLooks at: "));
    rule_put_subjects(out, rule->subjects);
    buffer_append_text(out, TEXT(".\n\nSource: "));
    put_prose(out, rule->source);
    buffer_append_text(out, TEXT(".\n"));
  }
  put_options(out, rule);
}

static void put_sections(struct buffer *out, bool of_validators) {
  for (size_t i = 0; i < rule_entry_count(); i++) {
    struct rule_entry rule = rule_entry_at(i);
    if (rule.is_validator == of_validators) {
      put_section(out, &rule);
    }
  }
}

void rules_put_markdown(struct buffer *out) {
  buffer_append_text(
      out,
      TEXT(
          "# Rules\n\n"
          "Written by `rayfix rules -o markdown`; do not edit it. `rayfix explain RULE` shows one\n"
          "rule with the lines of configuration that set it, `rayfix validate -f FILE` asks all "
          "of them\nabout a manifest.\n\n"
          "## Rules that refuse\n\n"
          "The action of a rule: `deny` refuses the object, `warn` tells the person who creates "
          "it, `audit`\nonly writes the audit log and the metrics, `off` does not look. The "
          "column Pods is `podAction`,\nfor Pods; those that a RayCluster owns were judged with "
          "it and are at most warned about, unless\n`podPolicy` is `hard`. On an update, what "
          "was there before and is not worse is a warning.\n\n"));
  put_table(out, true);
  buffer_append_text(
      out,
      TEXT("\nAn object is let through a rule by the configuration alone, never by an annotation: "
           "set\n`validators.<rule>.action`, for all or in an entry of `namespaces` for some "
           "namespaces, or list the\nnamespace or the user in `exempt`. See "
           "[Configuration](configuration.md).\n\n"
           "## Fixes\n\n"));
  put_table(out, false);
  buffer_append_text(
      out, TEXT("\nA Pod opts out of one fix with the annotation `rayfix.io/<fix>: \"false\"` and "
                "of all with\n`rayfix.io/skip: \"true\"`, while `allowOptOut` is true. Why each "
                "fix is there, and where it comes\nfrom: "
                "[mutators/README.md](../mutators/README.md).\n\n"
                "## Each rule that refuses\n"));
  put_sections(out, true);
  buffer_append_text(out, TEXT("\n## Each fix\n"));
  put_sections(out, false);
}
