#include "server/configuration.h"

#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admission/option_text.h"
#include "cli/verb.h"
#include "server/configuration_tables.h"
#include "server/yaml.h"
#include "tests/unit/suite.h"

// admission/rule.h and jansson.h both know a json_is_true(), so rules are looked up by their table.
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define FIXTURES "tests/config"
#define HEADER "apiVersion: rayfix.io/v1alpha1\nkind: Configuration\n"

// Set to rewrite the golden files; the difference is then for a person to judge.
#define UPDATE_VARIABLE "UPDATE_GOLDEN"

extern const struct verb verb_config;

static void read_file(const char *path, struct buffer *text) {
  FILE *file = fopen(path, "rb");
  ck_assert_msg(file != NULL, "%s cannot be opened", path);
  char chunk[4096];
  size_t n = 0;
  while ((n = fread(chunk, 1, sizeof chunk, file)) > 0) {
    ck_assert(buffer_append(text, chunk, n));
  }
  fclose(file);
}

static struct configuration *load(const char *path, struct buffer *mistakes) {
  bool unreadable = true;
  struct configuration *configuration = configuration_load(path, mistakes, &unreadable);
  ck_assert(!unreadable);
  return configuration;
}

static struct configuration *parse_good(const char *text, size_t len) {
  buffer_auto mistakes = {.max = 1 << 20};
  struct configuration *configuration = configuration_parse("t", text, len, &mistakes);
  ck_assert_msg(configuration != NULL, "%.*s", (int)mistakes.len, mistakes.data);
  ck_assert_uint_eq(mistakes.len, 0);
  return configuration;
}

static void parse_bad(const char *text, size_t len, const char *message) {
  buffer_auto mistakes = {.max = 1 << 20};
  struct configuration *configuration = configuration_parse("t", text, len, &mistakes);
  ck_assert_msg(configuration == NULL, "taken: %.200s", text);
  ck_assert(buffer_append(&mistakes, "", 1));
  if (message != NULL) {
    ck_assert_str_eq(mistakes.data, message);
  }
}

static const struct rule_table *const fixes = &rule_tables[0];

static size_t mutator_index(const char *name) {
  for (size_t i = 0; i < fixes->count(); i++) {
    if (strcmp(fixes->row(i).name, name) == 0) {
      return i;
    }
  }
  ck_abort_msg("there is no mutator %s", name);
  return 0;
}

// The value of a rule's option as it is printed.
static void expect_option(const struct ruleset *rules, const char *rule, const char *key,
                          const char *wanted) {
  size_t index = mutator_index(rule);
  struct rule_row mutator = fixes->row(index);
  for (size_t i = 0; i < mutator.option_count; i++) {
    const struct option *row = &mutator.options[i];
    if (strcmp(row->key, key) == 0) {
      buffer_auto out = {.max = 4096};
      option_print(row, rules->mutators[index].options, &out);
      buffer_append(&out, "", 1);
      ck_assert_str_eq(out.data, wanted);
      return;
    }
  }
  ck_abort_msg("%s has no option %s", rule, key);
}

static int mode_of(const struct ruleset *rules, const char *rule) {
  return rules->mutators[mutator_index(rule)].mode;
}

START_TEST(no_file_means_the_defaults) {
  buffer_auto mistakes = {.max = 1 << 20};
  struct configuration *configuration = load(NULL, &mistakes);
  ck_assert_ptr_nonnull(configuration);
  ck_assert(text_equals(configuration->settings.server.bind_address, TEXT(":9443")));
  ck_assert_int_eq(configuration->settings.limits.idle_timeout, 120000);
  ck_assert_uint_eq(configuration->admission->gpu_resources.count, 3);
  ck_assert(configuration->admission->allow_opt_out);
  ck_assert_uint_eq(configuration->admission->exempt_users.count, 0);
  ck_assert_int_eq(mode_of(&configuration->admission->rules, "wait-gcs"), MODE_ENFORCE);
  configuration_free(configuration);
  configuration_free(NULL);
}
END_TEST

START_TEST(every_kind_of_value_is_read) {
  buffer_auto mistakes = {.max = 1 << 20};
  struct configuration *configuration = load(FIXTURES "/valid.yaml", &mistakes);
  ck_assert_msg(configuration != NULL, "%.*s", (int)mistakes.len, mistakes.data);
  const struct settings *settings = &configuration->settings;
  const struct admission_config *config = configuration->admission;
  ck_assert(text_equals(settings->server.bind_address, TEXT("127.0.0.1:0")));
  ck_assert_int_eq(settings->server.threads, 2);
  ck_assert_int_eq(settings->tls.min_version, TLS_1_2);
  ck_assert_uint_eq(settings->tls.dns_names.count, 2);
  ck_assert(text_equals(settings->tls.dns_names.items[0], TEXT("rayfix.ray.svc")));
  ck_assert(settings->limits.body.nano == quantity_of_units(1 << 20).nano);
  ck_assert_int_eq(settings->limits.request_timeout, 90000);
  ck_assert_int_eq(settings->shutdown.delay, 0);
  ck_assert_int_eq(settings->shutdown.timeout, 10000);  // null: not set
  ck_assert_int_eq(settings->log.level, LOG_LEVEL_DEBUG);
  ck_assert_int_eq(settings->log.format, LOG_JSON);
  ck_assert_uint_eq(config->exempt_namespaces.count, 2);
  ck_assert(text_list_matches(&config->exempt_users,
                              TEXT("system:serviceaccount:kube-system:job-controller")));
  ck_assert_uint_eq(config->gpu_resources.count, 0);
  ck_assert(!config->allow_opt_out);
  ck_assert_int_eq(mode_of(&config->rules, "wait-gcs"), MODE_OFF);
  expect_option(&config->rules, "wait-gcs", "check", "native");
  expect_option(&config->rules, "wait-gcs", "image", "\"registry.example/wait-gcs:1\"");
  expect_option(&config->rules, "tmp-ray-memory", "percent", "50");
  expect_option(&config->rules, "tmp-ray-memory", "maxSize", "8Gi");
  expect_option(&config->rules, "tmp-ray-memory", "minSize", "256Mi");
  configuration_free(configuration);
}
END_TEST

START_TEST(the_last_override_wins_alone) {
  buffer_auto mistakes = {.max = 1 << 20};
  struct configuration *configuration = load(FIXTURES "/valid.yaml", &mistakes);
  ck_assert_ptr_nonnull(configuration);
  const struct admission_config *config = configuration->admission;
  ck_assert_uint_eq(config->override_count, 3);
  const struct ruleset *base = admission_config_rules(config, TEXT("default"));
  ck_assert_ptr_eq(base, &config->rules);
  expect_option(base, "readiness-probe", "roles", "[head]");

  const struct ruleset *glob = admission_config_rules(config, TEXT("team-b"));
  ck_assert_int_eq(mode_of(glob, "wait-gcs"), MODE_AUDIT);
  expect_option(glob, "wait-gcs", "check", "native");  // as `mutators` says, which stands below

  // team-a matches both; the mode of the first override does not leak in.
  const struct ruleset *last = admission_config_rules(config, TEXT("team-a"));
  ck_assert_int_eq(mode_of(last, "wait-gcs"), MODE_OFF);
  expect_option(last, "wait-gcs", "check", "python");
  expect_option(last, "readiness-probe", "roles", "[head, worker]");
  expect_option(base, "wait-gcs", "check", "native");

  const struct ruleset *empty = admission_config_rules(config, TEXT("legacy"));
  ck_assert_ptr_ne(empty, base);
  expect_option(empty, "wait-gcs", "check", "native");
  configuration_free(configuration);
}
END_TEST

START_TEST(json_is_read_too) {
  buffer_auto mistakes = {.max = 1 << 20};
  struct configuration *configuration = load(FIXTURES "/valid.json", &mistakes);
  ck_assert_msg(configuration != NULL, "%.*s", (int)mistakes.len, mistakes.data);
  ck_assert_int_eq(configuration->settings.server.threads, 3);
  ck_assert_int_eq(configuration->settings.tls.min_version, TLS_1_2);
  ck_assert_int_eq(mode_of(&configuration->admission->rules, "wait-gcs"), MODE_OFF);
  ck_assert_uint_eq(configuration->admission->override_count, 1);
  configuration_free(configuration);
}
END_TEST

static void compare_with_golden(const char *yaml, const char *golden) {
  buffer_auto mistakes = {.max = 1 << 20};
  struct configuration *configuration = load(yaml, &mistakes);
  ck_assert_msg(configuration == NULL, "%s was taken", yaml);
  if (getenv(UPDATE_VARIABLE) != NULL) {
    FILE *file = fopen(golden, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(mistakes.data, 1, mistakes.len, file), mistakes.len);
    fclose(file);
    return;
  }
  buffer_auto wanted = {.max = 1 << 20};
  read_file(golden, &wanted);
  buffer_append(&wanted, "", 1);
  buffer_append(&mistakes, "", 1);
  ck_assert_str_eq(mistakes.data, wanted.data);
}

START_TEST(mistakes_read_as_in_the_golden_files) {
  DIR *folder = opendir(FIXTURES);
  ck_assert_ptr_nonnull(folder);
  size_t count = 0;
  for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
    struct text name = text_of(entry->d_name);
    if (text_ends_with(name, TEXT(".yaml")) && !text_starts_with(name, TEXT("valid"))) {
      char yaml[512];
      char golden[512];
      snprintf(yaml, sizeof yaml, FIXTURES "/%s", entry->d_name);
      snprintf(golden, sizeof golden, FIXTURES "/%.*s.golden", (int)name.len - 5, name.data);
      compare_with_golden(yaml, golden);
      count++;
    }
  }
  closedir(folder);
  ck_assert_uint_ge(count, 12);
}
END_TEST

START_TEST(ten_mistakes_are_all_ten) {
  buffer_auto mistakes = {.max = 1 << 20};
  ck_assert_ptr_null(load(FIXTURES "/ten_mistakes.yaml", &mistakes));
  size_t lines = 0;
  for (size_t i = 0; i < mistakes.len; i++) {
    lines += mistakes.data[i] == '\n' ? 1U : 0U;
  }
  ck_assert_uint_eq(lines, 10);
}
END_TEST

START_TEST(mistakes_are_bounded) {
  buffer_auto text = {.max = 1 << 20};
  buffer_append_text(&text, TEXT(HEADER));
  for (int i = 0; i < 150; i++) {
    buffer_printf(&text, "unknown%d: 1\n", i);
  }
  buffer_auto mistakes = {.max = 1 << 20};
  ck_assert_ptr_null(configuration_parse("t", text.data, text.len, &mistakes));
  buffer_append(&mistakes, "", 1);
  ck_assert_ptr_nonnull(strstr(mistakes.data, "\nt: and 50 more mistakes\n"));
  ck_assert_ptr_nonnull(strstr(mistakes.data, "unknown99"));
  ck_assert_ptr_null(strstr(mistakes.data, "unknown100"));
}
END_TEST

START_TEST(what_is_printed_is_read_again) {
  buffer_auto first = {.max = 1 << 20};
  configuration_print_defaults(&first);
  ck_assert(!first.failed);
  struct configuration *configuration = parse_good(first.data, first.len);
  buffer_auto second = {.max = 1 << 20};
  configuration_print(configuration, &second);
  configuration_free(configuration);
  buffer_append(&first, "", 1);
  buffer_append(&second, "", 1);
  ck_assert_str_eq(first.data, second.data);

  // The same for a configuration with overrides.
  buffer_auto mistakes = {.max = 1 << 20};
  buffer_auto third = {.max = 1 << 20};
  buffer_auto fourth = {.max = 1 << 20};
  configuration = load(FIXTURES "/valid.yaml", &mistakes);
  configuration_print(configuration, &third);
  configuration_free(configuration);
  configuration = parse_good(third.data, third.len);
  configuration_print(configuration, &fourth);
  configuration_free(configuration);
  buffer_append(&third, "", 1);
  buffer_append(&fourth, "", 1);
  ck_assert_str_eq(third.data, fourth.data);
  ck_assert_str_ne(first.data, third.data);
}
END_TEST

static void expect_property(const json_t *schema, const char *key) {
  const json_t *properties = json_object_get(schema, "properties");
  ck_assert_msg(json_is_object(json_object_get(properties, key)), "the schema lacks %s", key);
}

static void expect_closed(const json_t *schema) {
  const char *type = json_string_value(json_object_get(schema, "type"));
  if (type != NULL && strcmp(type, "object") == 0) {
    ck_assert(json_is_false(json_object_get(schema, "additionalProperties")));
  }
}

START_TEST(the_schema_has_every_key) {
  buffer_auto out = {.max = 1 << 20};
  configuration_print_schema(&out);
  ck_assert(!out.failed);
  json_error_t error;
  json_t *schema = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES, &error);
  ck_assert_msg(schema != NULL, "%s", error.text);
  ck_assert_str_eq(json_string_value(json_object_get(schema, "$schema")),
                   "https://json-schema.org/draft/2020-12/schema");
  expect_closed(schema);
  const json_t *properties = json_object_get(schema, "properties");
  for (size_t i = 0; i < settings_section_count; i++) {
    const struct settings_section *section = &settings_sections[i];
    const json_t *member = json_object_get(properties, section->key);
    expect_closed(member);
    for (size_t k = 0; k < section->option_count; k++) {
      expect_property(member, section->options[k].key);
    }
  }
  static const char *const others[] = {"apiVersion",   "kind",        "mutators", "namespaces",
                                       "gpuResources", "allowOptOut", "exempt"};
  for (size_t i = 0; i < COUNT_OF(others); i++) {
    expect_property(schema, others[i]);
  }
  const json_t *rules = json_object_get(json_object_get(schema, "$defs"), "mutators");
  expect_closed(rules);
  for (size_t i = 0; i < fixes->count(); i++) {
    struct rule_row mutator = fixes->row(i);
    expect_property(rules, mutator.name);
    const json_t *rule = json_object_get(json_object_get(rules, "properties"), mutator.name);
    expect_closed(rule);
    expect_property(rule, "mode");
    for (size_t k = 0; k < mutator.option_count; k++) {
      expect_property(rule, mutator.options[k].key);
    }
  }
  json_decref(schema);
}
END_TEST

START_TEST(all_seven_mutators_are_known) {
  static const char *const names[] = {"wait-gcs",       "readiness-probe", "prestop-drain",
                                      "tmp-ray-memory", "gpu-tolerations", "dns-config",
                                      "spot-placement"};
  for (size_t i = 0; i < COUNT_OF(names); i++) {
    buffer_auto text = {.max = 4096};
    buffer_printf(&text, HEADER "mutators: {%s: {mode: audit}}\n", names[i]);
    struct configuration *configuration = parse_good(text.data, text.len);
    ck_assert_int_eq(mode_of(&configuration->admission->rules, names[i]), MODE_AUDIT);
    configuration_free(configuration);
  }
}
END_TEST

START_TEST(yaml_has_no_traps) {
  static const char *const bad[] = {
      HEADER "allowOptOut: yes\n",       HEADER "allowOptOut: on\n",
      HEADER "allowOptOut: True\n",      HEADER "allowOptOut: \"true\"\n",
      HEADER "server: {threads: 010}",   HEADER "server: {threads: 0o10}",
      HEADER "server: {threads: 1_0}",   HEADER "server: {threads: 2.0}",
      HEADER "server: {threads: 257}",   HEADER "server: {<<: {threads: 2}}",
      HEADER "log: {level: !!str info}", HEADER "tls: {minVersion: 1.1}",
      HEADER "tls: {certDir: true}",     HEADER "tls: {certDir: .5}",
  };
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    parse_bad(bad[i], strlen(bad[i]), NULL);
  }
  static const char *const good[] = {
      HEADER "mutators: {prestop-drain: {worker: off, mode: off}}",
      HEADER "server: {threads: 256}",
      HEADER "tls: {minVersion: 1.2, certDir: on}",
      HEADER "tls: {certDir: \"123\"}",
      HEADER "tls: {certDir: 1.2.3}",
      HEADER "tls:\nlog: ~\nnamespaces: null\nexempt: {users: }\n",
      "\xef\xbb\xbf" HEADER,
      "%YAML 1.1\n---\n" HEADER "...\n",
      "apiVersion: rayfix.io/v1alpha1\r\nkind: Configuration\r\nserver:\r\n  threads: 3\r\n",
  };
  for (size_t i = 0; i < COUNT_OF(good); i++) {
    configuration_free(parse_good(good[i], strlen(good[i])));
  }
}
END_TEST

static void append_nested(struct buffer *text, int depth) {
  buffer_append_text(text, TEXT(HEADER "x: "));
  for (int i = 0; i < depth; i++) {
    buffer_append(text, "[", 1);
  }
  for (int i = 0; i < depth; i++) {
    buffer_append(text, "]", 1);
  }
}

START_TEST(depth_is_bounded) {
  buffer_auto deep = {.max = 1 << 20};
  append_nested(&deep, YAML_DEPTH_MAX);  // and the mapping around it
  parse_bad(deep.data, deep.len,
            "t:3:35: YAML: found lists or mappings more than 32 deep, wanted fewer\n");
  buffer_auto fits = {.max = 1 << 20};
  append_nested(&fits, YAML_DEPTH_MAX - 1);
  buffer_auto mistakes = {.max = 1 << 20};
  ck_assert_ptr_null(configuration_parse("t", fits.data, fits.len, &mistakes));
  buffer_append(&mistakes, "", 1);
  ck_assert_ptr_nonnull(strstr(mistakes.data, "t:3:1: x: found an unknown key"));
  buffer_auto deepest = {.max = 1 << 20};
  append_nested(&deepest, 400000);
  parse_bad(deepest.data, deepest.len, NULL);
}
END_TEST

START_TEST(size_is_bounded) {
  buffer_auto text = {.max = 2 << 20};
  buffer_append_text(&text, TEXT(HEADER "#"));
  while (text.len < CONFIGURATION_MAX_BYTES) {
    buffer_append(&text, "x", 1);
  }
  configuration_free(parse_good(text.data, text.len));
  buffer_append(&text, "x", 1);
  parse_bad(text.data, text.len,
            "t:1:1: configuration: found more than 1 MiB, wanted at most 1048576 bytes\n");
}
END_TEST

START_TEST(the_number_of_values_is_bounded) {
  buffer_auto text = {.max = 2 << 20};
  buffer_append_text(&text, TEXT(HEADER "gpuResources: ["));
  for (int i = 0; i < YAML_NODES_MAX; i++) {
    buffer_append_text(&text, TEXT("a, "));
  }
  buffer_append_text(&text, TEXT("]\n"));
  parse_bad(text.data, text.len, NULL);
  text.len = 0;
  buffer_append_text(&text, TEXT(HEADER "namespaces:\n"));
  for (int i = 0; i <= NAMESPACE_OVERRIDES_MAX; i++) {
    buffer_append_text(&text, TEXT("- {match: a}\n"));
  }
  parse_bad(text.data, text.len, "t:4:1: namespaces: found 1001 overrides, wanted at most 1000\n");
}
END_TEST

START_TEST(copies_of_rules_share_no_list) {
  struct error error;
  struct admission_config *config = admission_config_new(&error);
  ck_assert_ptr_nonnull(config);
  struct ruleset copy;
  ck_assert_int_eq(admission_config_copy_rules(config, &config->rules, &copy), 0);
  size_t index = mutator_index("gpu-tolerations");
  const struct option *row = &fixes->row(index).options[0];
  ck_assert_int_eq(row->type, OPTION_STRINGS);
  ck_assert_int_eq(
      option_set(row, copy.mutators[index].options, TEXT("copied"), config->arena, &error), 0);
  ck_assert_int_eq(
      option_set(row, config->rules.mutators[index].options, TEXT("base"), config->arena, &error),
      0);
  const struct text_list *list =
      (const struct text_list *)(const void *)((const char *)copy.mutators[index].options +
                                               row->offset);
  ck_assert(text_equals(list->items[list->count - 1], TEXT("copied")));
  int result = -1;
  for (size_t n = 0; result != 0; n++) {
    arena_fail_after(config->arena, n);
    result = admission_config_copy_rules(config, &config->rules, &copy);
    ck_assert_uint_lt(n, 200);
  }
  admission_config_free(config);
}
END_TEST

// xorshift: the same mutations on every run.
static unsigned next_random(unsigned *state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

START_TEST(garbage_never_crashes) {
  buffer_auto original = {.max = 1 << 20};
  read_file(FIXTURES "/valid.yaml", &original);
  unsigned state = 20240501;
  static const char interesting[] = "\0\n\t:-[]{}&*!|>'\"%@`#,? \xff\xc2\xe2\x80";
  for (int round = 0; round < 4000; round++) {
    char *text = malloc(original.len);
    ck_assert_ptr_nonnull(text);
    memcpy(text, original.data, original.len);
    size_t len = original.len - (round % 4 == 0 ? next_random(&state) % original.len : 0);
    unsigned changes = 1 + next_random(&state) % 6;
    for (unsigned i = 0; i < changes && len > 0; i++) {
      unsigned what = next_random(&state);
      text[next_random(&state) % len] =
          what % 3 == 0 ? (char)(what >> 8) : interesting[(what >> 8) % (sizeof interesting - 1)];
    }
    buffer_auto mistakes = {.max = 1 << 20};
    struct configuration *configuration = configuration_parse("t", text, len, &mistakes);
    ck_assert((configuration == NULL) == (mistakes.len > 0));
    configuration_free(configuration);
    free(text);
  }
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_told_apart) {
  buffer_auto mistakes = {.max = 1 << 20};
  bool unreadable = false;
  ck_assert_ptr_null(configuration_load("tests/config/absent", &mistakes, &unreadable));
  ck_assert(unreadable);
  buffer_append(&mistakes, "", 1);
  ck_assert_str_eq(mistakes.data,
                   "tests/config/absent: cannot read the configuration: "
                   "No such file or directory\n");
  mistakes.len = 0;
  unreadable = false;
  ck_assert_ptr_null(configuration_load("tests/config", &mistakes, &unreadable));
  ck_assert(unreadable);
}
END_TEST

// Runs the verb with stdin from a file; returns its exit code, and its output in `out`.
static int run_verb(const char *input, struct buffer *out, int argc, char **argv) {
  fflush(NULL);
  int saved[3] = {dup(0), dup(1), dup(2)};
  FILE *output = tmpfile();
  int in = open(input, O_RDONLY | O_CLOEXEC);
  ck_assert(output != NULL && in >= 0);
  dup2(in, 0);
  dup2(fileno(output), 1);
  dup2(fileno(output), 2);
  int code = verb_config.run(argc, argv);
  fflush(NULL);
  for (int fd = 0; fd < 3; fd++) {
    dup2(saved[fd], fd);
    close(saved[fd]);
  }
  close(in);
  rewind(output);
  char chunk[4096];
  size_t n = 0;
  while ((n = fread(chunk, 1, sizeof chunk, output)) > 0) {
    buffer_append(out, chunk, n);
  }
  buffer_append(out, "", 1);
  fclose(output);
  return code;
}

START_TEST(the_verb_has_its_exit_codes) {
  static const struct {
    const char *arguments[4];
    int code;
    const char *output;  // how it begins
  } cases[] = {
      {{"check", "-f", FIXTURES "/valid.yaml"}, EXIT_FINE, FIXTURES "/valid.yaml: ok\n"},
      {{"check", "-f", "-"}, EXIT_FINE, "<stdin>: ok\n"},
      {{"check", "--filename=-"}, EXIT_FINE, "<stdin>: ok\n"},
      {{"check", "-f" FIXTURES "/empty.yaml"}, EXIT_USAGE, FIXTURES "/empty.yaml:1:1: "},
      {{"check", "-f", "absent"}, EXIT_IO, "absent: cannot read"},
      {{"check"}, EXIT_USAGE, "rayfix config: check wants -f"},
      {{"check", "-f"}, EXIT_USAGE, "rayfix config: -f wants a file name"},
      {{"defaults"}, EXIT_FINE, "apiVersion: rayfix.io/v1alpha1\n"},
      {{"defaults", "-f", "x"}, EXIT_USAGE, "rayfix config: only check takes -f"},
      {{"schema"}, EXIT_FINE, "{\n"},
      {{"-h"}, EXIT_FINE, "Check a configuration file"},
      {{"check", "--help"}, EXIT_FINE, "Check a configuration file"},
      {{NULL}, EXIT_USAGE, "rayfix config: wanted check, defaults or schema"},
      {{"chekc"}, EXIT_USAGE, "rayfix config: wanted check, defaults or schema, found chekc"},
      {{"check", "--file"}, EXIT_USAGE, "rayfix config: unknown flag --file"},
      {{"check", "more"}, EXIT_USAGE, "rayfix config: unexpected argument more"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char words[5][64] = {"config"};
    char *argv[6] = {words[0]};
    int argc = 1;
    for (size_t k = 0; k < 4 && cases[i].arguments[k] != NULL; k++) {
      snprintf(words[k + 1], sizeof words[0], "%s", cases[i].arguments[k]);
      argv[argc++] = words[k + 1];
    }
    buffer_auto out = {.max = 1 << 20};
    ck_assert_int_eq(run_verb(FIXTURES "/valid.yaml", &out, argc, argv), cases[i].code);
    ck_assert_msg(strncmp(out.data, cases[i].output, strlen(cases[i].output)) == 0, "%s", out.data);
  }
}
END_TEST

static void add_tests(TCase *tcase) {
  tcase_add_test(tcase, no_file_means_the_defaults);
  tcase_add_test(tcase, every_kind_of_value_is_read);
  tcase_add_test(tcase, the_last_override_wins_alone);
  tcase_add_test(tcase, json_is_read_too);
  tcase_add_test(tcase, mistakes_read_as_in_the_golden_files);
  tcase_add_test(tcase, ten_mistakes_are_all_ten);
  tcase_add_test(tcase, mistakes_are_bounded);
  tcase_add_test(tcase, what_is_printed_is_read_again);
  tcase_add_test(tcase, the_schema_has_every_key);
  tcase_add_test(tcase, all_seven_mutators_are_known);
  tcase_add_test(tcase, yaml_has_no_traps);
  tcase_add_test(tcase, depth_is_bounded);
  tcase_add_test(tcase, size_is_bounded);
  tcase_add_test(tcase, the_number_of_values_is_bounded);
  tcase_add_test(tcase, copies_of_rules_share_no_list);
  tcase_add_test(tcase, garbage_never_crashes);
  tcase_add_test(tcase, a_file_that_cannot_be_read_is_told_apart);
  tcase_add_test(tcase, the_verb_has_its_exit_codes);
}

int main(void) {
  return run_suite("configuration", add_tests);
}
