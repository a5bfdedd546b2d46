#include <stdio.h>
#include <strings.h>

#include "cli/flags.h"
#include "cli/rule_entry.h"
#include "cli/suggest.h"
#include "cli/verb.h"

extern const struct verb verb_explain;

struct explain_flags {
  int output;
  const char *rule;
};

enum { OUTPUT_TEXT, OUTPUT_JSON };
static const char *const output_names[] = {[OUTPUT_TEXT] = "text", [OUTPUT_JSON] = "json", NULL};

static const struct flag flags[] = {
    {.letter = 'o',
     .name = "output",
     .kind = FLAG_NAME,
     .offset = offsetof(struct explain_flags, output),
     .names = output_names},
    {.name = "RULE", .kind = FLAG_OPERAND, .offset = offsetof(struct explain_flags, rule)},
};

// Far above what the table of rules can fill.
#define EXPLAIN_OUTPUT_MAX ((size_t)4 << 20)

// ---- finding a rule ----

// An id may stand for two numbers: "V06/V07".
static bool has_id(const struct rule_entry *rule, const char *wanted) {
  size_t len = strlen(wanted);
  for (const char *id = rule->id; id != NULL && *id != '\0' && len > 0;) {
    const char *end = strchr(id, '/');
    size_t id_len = end == NULL ? strlen(id) : (size_t)(end - id);
    if (id_len == len && strncasecmp(id, wanted, len) == 0) {
      return true;
    }
    id = end == NULL ? NULL : end + 1;
  }
  return strcasecmp(rule->id, wanted) == 0 && len > 0;
}

static bool find(const char *wanted, struct rule_entry *ret_rule) {
  for (size_t i = 0; i < rule_entry_count(); i++) {
    *ret_rule = rule_entry_at(i);
    if (strcasecmp(ret_rule->name, wanted) == 0 || has_id(ret_rule, wanted)) {
      return true;
    }
  }
  return false;
}

#define NAMES_MAX 128

static int unknown(const char *wanted) {
  const char *names[NAMES_MAX];
  size_t count = 0;
  for (size_t i = 0; i < rule_entry_count() && count < NAMES_MAX; i++) {
    names[count++] = rule_entry_at(i).name;
  }
  fprintf(stderr, "rayfix explain: no rule \"%s\"", wanted);
  suggest_name(wanted, strlen(wanted), "", names, count);
  fputs("\nrayfix explain: 'rayfix explain' lists the rules\n", stderr);
  return EXIT_USAGE;
}

// ---- text ----

// The widest line.
#define WIDTH 88

// A paragraph, broken at blanks.
static void put_wrapped(struct buffer *out, const char *text, const char *indent) {
  size_t column = 0;
  while (*text != '\0') {
    size_t len = strcspn(text, " \n");
    if (column > 0 && column + 1 + len > WIDTH) {
      buffer_append(out, "\n", 1);
      column = 0;
    }
    if (len > 0) {
      buffer_append_text(out, column == 0 ? text_of(indent) : TEXT(" "));
      buffer_append(out, text, len);
      column += column == 0 ? strlen(indent) + len : 1 + len;
    }
    text += len + (text[len] == '\0' ? 0 : 1);
  }
  buffer_append(out, "\n", 1);
}

static void put_heading(struct buffer *out, const char *heading) {
  buffer_printf(out, "\n%s\n", heading);
}

static void put_settings(struct buffer *out, const struct rule_entry *rule) {
  put_heading(out, "How to set it (these are the defaults)");
  buffer_auto settings = {.max = EXPLAIN_OUTPUT_MAX};
  out->failed = out->failed || rule_put_settings(&settings, rule) != 0;
  struct text rest = {settings.data, settings.len};
  while (rest.len > 0) {
    size_t end = text_find(rest, TEXT("\n"), 0);
    buffer_append_text(out, TEXT("  "));
    buffer_append_text(out, text_slice(rest, 0, end + 1));
    rest = text_slice(rest, end + 1, rest.len);
  }
}

static void put_exemptions(struct buffer *out, const struct rule_entry *rule) {
  const char *kinds = rule->is_validator ? "validators" : "mutators";
  const char *milder = rule->is_validator ? "warn" : "audit";
  put_heading(out, "How to be exempted");
  if (!rule->is_validator) {
    buffer_printf(out,
                  "  One Pod, by its annotation, while allowOptOut is true:\n"
                  "    rayfix.io/%s: \"false\"\n"
                  "  One Pod from all fixes: rayfix.io/skip: \"true\"\n",
                  rule->name);
  }
  buffer_printf(out,
                "  Everybody, in the configuration:\n"
                "    %s:\n      %s:\n        %s: %s    # or \"off\"\n",
                kinds, rule->name, rule->setting_key, milder);
  buffer_printf(out,
                "  Namespaces, by name or glob:\n"
                "    namespaces:\n      - match: team-a\n        %s:\n          %s:\n"
                "            %s: %s\n",
                kinds, rule->name, rule->setting_key, milder);
  buffer_append_text(out, TEXT("  Namespaces or users from all rules and fixes:\n"
                               "    exempt:\n      namespaces: [team-a]\n"
                               "      users: [\"system:serviceaccount:ci:*\"]\n"));
  if (rule->is_validator) {
    buffer_append_text(out, TEXT("  No annotation exempts from a rule that refuses.\n"));
  }
}

static void put_pods(struct buffer *out, const struct rule_entry *rule) {
  if (rule->pod_setting != NULL) {
    put_wrapped(out,
                "Pods have an action of their own, podAction. Those that a RayCluster owns were "
                "judged with it and are at most warned about, unless podPolicy is \"hard\".",
                "  ");
  }
}

static void put_text(struct buffer *out, const struct rule_entry *rule) {
  buffer_printf(out, rule->is_validator ? "%s (%s)\n" : "%s%s\n", rule->name,
                rule->is_validator ? rule->id : "");
  put_wrapped(out, rule->summary, "  ");
  if (rule->is_validator) {
    put_heading(out, "Why");
    put_wrapped(out, rule->why, "  ");
    put_heading(out, "Source");
    put_wrapped(out, rule->source, "  ");
  } else {
    put_heading(out, "Why, and source");
    put_wrapped(out, "mutators/README.md, the row of this fix.", "  ");
  }
  put_heading(out, "Looks at");
  buffer_append_text(out, TEXT("  "));
  if (rule->is_validator) {
    rule_put_subjects(out, rule->subjects);
  } else {
    buffer_append_text(out, TEXT("Pods of Ray, when they are created"));
  }
  buffer_append(out, "\n", 1);
  put_pods(out, rule);
  put_settings(out, rule);
  put_exemptions(out, rule);
}

// ---- all rules ----

static void put_list(struct buffer *out, bool json) {
  buffer_append(out, "[", json ? 1 : 0);
  for (size_t i = 0; i < rule_entry_count(); i++) {
    struct rule_entry rule = rule_entry_at(i);
    if (json) {
      buffer_append_text(out, i == 0 ? TEXT("\n  ") : TEXT(",\n  "));
      rule_put_json(out, &rule, true);
    } else {
      buffer_printf(out, "%-18s %-8s %s\n", rule.name, rule.is_validator ? rule.id : "fix",
                    rule.summary);
    }
  }
  buffer_append_text(out, json ? TEXT("\n]\n") : TEXT("\n'rayfix explain RULE' says more.\n"));
}

static int explain(const struct explain_flags *given) {
  buffer_auto out = {.max = EXPLAIN_OUTPUT_MAX};
  bool json = given->output == OUTPUT_JSON;
  struct rule_entry rule;
  if (given->rule == NULL) {
    put_list(&out, json);
  } else if (!find(given->rule, &rule)) {
    return unknown(given->rule);
  } else if (json) {
    rule_put_json(&out, &rule, true);
    buffer_append(&out, "\n", 1);
  } else {
    put_text(&out, &rule);
  }
  if (out.failed) {
    fprintf(stderr, "rayfix explain: out of memory\n");
    return EXIT_IO;
  }
  fwrite(out.data, 1, out.len, stdout);
  return EXIT_FINE;
}

static int run(int argc, char **argv) {
  struct explain_flags given = {.output = OUTPUT_TEXT};
  int status =
      flags_parse(&verb_explain, flags, sizeof flags / sizeof flags[0], &given, argc, argv);
  return status == FLAGS_GO_ON ? explain(&given) : status;
}

const struct verb verb_explain = {
    .name = "explain",
    .summary = "say what a rule wants, why, how to set it and how to be exempted",
    .help =
        "Explains one rule or fix, by its name or id; lists them without one.\n"
        "\n"
        "Usage:\n"
        "  rayfix explain [RULE] [-o text|json]\n"
        "\n"
        "Flags:\n"
        "  -o, --output FORMAT  text (the default) or json\n"
        "  -h, --help           this text\n"
        "\n"
        "Exit code: 0 done, 2 wrong flags or no such rule, 3 input/output.\n"
        "\n"
        "Example:\n"
        "  rayfix explain cpu-limit\n",
    .run = run,
};
