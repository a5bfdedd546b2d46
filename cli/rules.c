#include <stdio.h>

#include "cli/flags.h"
#include "cli/rule_entry.h"
#include "cli/verb.h"

extern const struct verb verb_rules;

struct rules_flags {
  int output;
};

enum { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_MARKDOWN };
static const char *const output_names[] = {
    [OUTPUT_TABLE] = "table", [OUTPUT_JSON] = "json", [OUTPUT_MARKDOWN] = "markdown", NULL};

static const struct flag flags[] = {
    {.letter = 'o',
     .name = "output",
     .kind = FLAG_NAME,
     .offset = offsetof(struct rules_flags, output),
     .names = output_names},
};

// Far above what the table of rules can fill.
#define RULES_OUTPUT_MAX ((size_t)4 << 20)

static void put_json(struct buffer *out) {
  buffer_append(out, "[", 1);
  for (size_t i = 0; i < rule_entry_count(); i++) {
    struct rule_entry rule = rule_entry_at(i);
    buffer_append_text(out, i == 0 ? TEXT("\n  ") : TEXT(",\n  "));
    rule_put_json(out, &rule, false);
  }
  buffer_append_text(out, TEXT("\n]\n"));
}

static void put_table(struct buffer *out) {
  buffer_printf(out, "%-8s %-18s %-8s %s\n", "ID", "NAME", "DEFAULT", "SUMMARY");
  for (size_t i = 0; i < rule_entry_count(); i++) {
    struct rule_entry rule = rule_entry_at(i);
    buffer_printf(out, "%-8s %-18s %-8s %s\n", rule.is_validator ? rule.id : "fix", rule.name,
                  rule.setting, rule.summary);
  }
}

static int print(void (*put)(struct buffer *out)) {
  buffer_auto out = {.max = RULES_OUTPUT_MAX};
  put(&out);
  if (out.failed) {
    fprintf(stderr, "rayfix rules: out of memory\n");
    return EXIT_IO;
  }
  fwrite(out.data, 1, out.len, stdout);
  return EXIT_FINE;
}

static int run(int argc, char **argv) {
  struct rules_flags given = {.output = OUTPUT_TABLE};
  int status = flags_parse(&verb_rules, flags, sizeof flags / sizeof flags[0], &given, argc, argv);
  if (status != FLAGS_GO_ON) {
    return status;
  }
  static void (*const outputs[])(struct buffer * out) = {
      [OUTPUT_TABLE] = put_table, [OUTPUT_JSON] = put_json, [OUTPUT_MARKDOWN] = rules_put_markdown};
  return print(outputs[given.output]);
}

const struct verb verb_rules = {
    .name = "rules",
    .summary = "List the fixes, their default modes and their options",
    .help =
        "Lists the rules of this build with the mode or action each has without a configuration.\n"
        "Fixes change Pods; rules with an id refuse objects. 'rayfix explain RULE' says more.\n"
        "\n"
        "Usage:\n"
        "  rayfix rules [-o table|json|markdown]\n"
        "\n"
        "Flags:\n"
        "  -o, --output FORMAT  table (the default), json, which has the options too, or\n"
        "                       markdown, the reference page docs/rules.md\n"
        "  -h, --help           this text\n"
        "\n"
        "Example:\n"
        "  rayfix rules -o json\n",
    .run = run,
};
