#include "cli/rule_entry.h"

#include "admission/option_text.h"

size_t rule_entry_count(void) {
  return mutator_count + validator_count;
}

struct rule_entry rule_entry_at(size_t index) {
  if (index < mutator_count) {
    const struct mutator *rule = mutators[index];
    return (struct rule_entry){
        .id = "",
        .name = rule->name,
        .summary = rule->summary,
        .why = "",
        .source = "",
        .subjects = SUBJECT_POD,
        .setting_key = "mode",
        .setting = mutator_mode_names[rule->default_mode],
        .options = rule->options,
        .option_count = rule->option_count,
        .options_size = rule->options_size,
    };
  }
  const struct validator *rule = validators[index - mutator_count];
  bool pods = (rule->subjects & SUBJECT_POD) != 0;
  return (struct rule_entry){
      .is_validator = true,
      .id = rule->id,
      .name = rule->name,
      .summary = rule->summary,
      .why = rule->why,
      .source = rule->source,
      .subjects = rule->subjects,
      .setting_key = "action",
      .setting = validator_action_names[rule->default_action],
      .pod_setting = pods ? validator_action_names[rule->default_pod_action] : NULL,
      .options = rule->options,
      .option_count = rule->option_count,
      .options_size = rule->options_size,
  };
}

void rule_put_subjects(struct buffer *out, unsigned subjects) {
  static const struct {
    unsigned bit;
    const char *names;
  } rows[] = {
      {SUBJECT_RAY, "RayCluster, RayJob, RayService, RayCronJob"},
      {SUBJECT_POD, "Pod"},
      {SUBJECT_PDB, "PodDisruptionBudget"},
      {SUBJECT_NODE, "Node"},
  };
  const char *separator = "";
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    if ((subjects & rows[i].bit) != 0) {
      buffer_printf(out, "%s%s", separator, rows[i].names);
      separator = ", ";
    }
  }
}

const char *rule_option_type(const struct option *option) {
  static const char *const names[] = {
      [OPTION_BOOL] = "bool",         [OPTION_INT] = "int",
      [OPTION_DURATION] = "duration", [OPTION_QUANTITY] = "quantity",
      [OPTION_ENUM] = "enum",         [OPTION_ENUM_SET] = "enum list",
      [OPTION_STRING] = "string",     [OPTION_STRINGS] = "string list",
  };
  return names[option->type];
}

static void put_names(struct buffer *out, const char *const *names) {
  for (size_t i = 0; names[i] != NULL; i++) {
    buffer_printf(out, i == 0 ? "%s" : ", %s", names[i]);
  }
}

static void put_option(struct buffer *out, const struct option *option, const void *options) {
  char range[OPTION_RANGE_TEXT_MAX];
  option_range_text(option, range);
  buffer_printf(out, "    # %s.", option->help);
  if (range[0] != '\0') {
    buffer_printf(out, " F%s.", range + 1);  // "from 1 to 2" begins the sentence
  }
  if (option->names != NULL) {
    buffer_append_text(out, option->type == OPTION_ENUM ? TEXT(" One of ") : TEXT(" Any of "));
    put_names(out, option->names);
    buffer_append(out, ".", 1);
  }
  buffer_printf(out, "\n    %s: ", option->key);
  option_print(option, options, out);
  buffer_append(out, "\n", 1);
}

int rule_put_settings(struct buffer *out, const struct rule_entry *rule) {
  struct arena *arena = arena_new(4096, (size_t)1 << 20);
  struct error error;
  const void *options = arena == NULL ? NULL
                                      : options_defaults(rule->options, rule->option_count,
                                                         rule->options_size, arena, &error);
  if (options == NULL && rule->option_count > 0) {
    arena_free(arena);
    return -1;
  }
  buffer_printf(out, "%s:\n  %s:\n", rule->is_validator ? "validators" : "mutators", rule->name);
  buffer_append_text(out, TEXT("    # One of "));
  put_names(out, rule->is_validator ? validator_action_names : mutator_mode_names);
  buffer_printf(out, ".\n    %s: ", rule->setting_key);
  option_print_text(text_of(rule->setting), out);
  if (rule->pod_setting != NULL) {
    buffer_append_text(out, TEXT("\n    # The same for Pods.\n    podAction: "));
    option_print_text(text_of(rule->pod_setting), out);
  }
  buffer_append(out, "\n", 1);
  for (size_t i = 0; i < rule->option_count; i++) {
    put_option(out, &rule->options[i], options);
  }
  arena_free(arena);
  return out->failed ? -1 : 0;
}

// ---- JSON ----

static void put_member(struct buffer *out, const char *key, const char *value) {
  buffer_printf(out, ", \"%s\": ", key);
  buffer_append_json_string(out, text_of(value == NULL ? "" : value));
}

static void put_json_option(struct buffer *out, const struct option *option) {
  buffer_append_text(out, TEXT("{\"key\": "));
  buffer_append_json_string(out, text_of(option->key));
  put_member(out, "type", rule_option_type(option));
  put_member(out, "default", option->fallback);
  for (size_t i = 0; option->names != NULL && option->names[i] != NULL; i++) {
    buffer_printf(out, i == 0 ? ", \"values\": [" : ", ");
    buffer_append_json_string(out, text_of(option->names[i]));
  }
  buffer_printf(out, option->names != NULL ? "]" : "");
  if (option_has_range(option)) {
    buffer_printf(out, ", \"min\": %lld, \"max\": %lld", option->min, option->max);
  }
  put_member(out, "help", option->help);
  buffer_append(out, "}", 1);
}

static void put_json_details(struct buffer *out, const struct rule_entry *rule) {
  buffer_auto settings = {.max = (size_t)1 << 20};
  put_member(out, "why", rule->why);
  put_member(out, "source", rule->source);
  out->failed = out->failed || rule_put_settings(&settings, rule) != 0;
  buffer_append_text(out, TEXT(", \"configuration\": "));
  buffer_append_json_string(out, (struct text){settings.data, settings.len});
}

void rule_put_json(struct buffer *out, const struct rule_entry *rule, bool details) {
  buffer_printf(out, "{\"kind\": \"%s\"", rule->is_validator ? "validator" : "mutator");
  if (rule->is_validator) {
    put_member(out, "id", rule->id);
  }
  put_member(out, "name", rule->name);
  put_member(out, rule->is_validator ? "defaultAction" : "defaultMode", rule->setting);
  if (rule->pod_setting != NULL) {
    put_member(out, "defaultPodAction", rule->pod_setting);
  }
  put_member(out, "summary", rule->summary);
  buffer_append_text(out, TEXT(", \"subjects\": \""));
  rule_put_subjects(out, rule->subjects);
  buffer_append(out, "\"", 1);
  if (details) {
    put_json_details(out, rule);
  }
  buffer_append_text(out, TEXT(", \"options\": ["));
  for (size_t i = 0; i < rule->option_count; i++) {
    buffer_printf(out, i == 0 ? "\n    " : ",\n    ");
    put_json_option(out, &rule->options[i]);
  }
  buffer_append_text(out, rule->option_count == 0 ? TEXT("]}") : TEXT("\n  ]}"));
}
