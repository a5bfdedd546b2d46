#include "admission/rule.h"
#include "cli/report.h"
#include "cli/version.h"

// SARIF 2.1.0 (OASIS), which code hosts show beside the lines of a change.

static void put_text(struct buffer *out, const char *name, struct text text) {
  buffer_printf(out, "\"%s\": {\"text\": ", name);
  buffer_append_json_string(out, text);
  buffer_append(out, "}", 1);
}

// §3.10: an artifact location is a URI reference, so everything but unreserved characters and '/'
// is percent-encoded.
static void put_uri(struct buffer *out, struct text path) {
  static const struct text plain =
      TEXT("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/");
  buffer_append(out, "\"", 1);
  bool absolute = text_starts_with(path, TEXT("/"));
  buffer_append_text(out, absolute ? TEXT("file://") : TEXT(""));
  for (size_t i = 0; i < path.len; i++) {
    if (memchr(plain.data, path.data[i], plain.len) != NULL) {
      buffer_append(out, path.data + i, 1);
    } else {
      buffer_printf(out, "%%%02X", (unsigned char)path.data[i]);
    }
  }
  buffer_append(out, "\"", 1);
}

static const char *level_of(int action) {
  return action == ACTION_DENY ? "error" : action == ACTION_WARN ? "warning" : "note";
}

// The index in the table of rules that begin() writes.
static size_t rule_index(const char *rule) {
  size_t i = 0;
  while (i < validator_count && strcmp(validators[i]->name, rule) != 0) {
    i++;
  }
  return i;
}

// ---- the rules ----

static void put_help(struct buffer *out, const struct validator *rule) {
  buffer_auto help = {.max = (size_t)1 << 20};
  buffer_printf(&help, "%s\n\nSource: %s.\n\nSettings: validators.%s.action", rule->why,
                rule->source, rule->name);
  for (size_t i = 0; i < rule->option_count; i++) {
    buffer_printf(&help, ", validators.%s.%s", rule->name, rule->options[i].key);
  }
  buffer_printf(&help, ". `rayfix explain %s` says more.", rule->name);
  put_text(out, "help", (struct text){help.data, help.len});
  out->failed = out->failed || help.failed;
}

static void put_rule(struct buffer *out, const struct validator *rule) {
  buffer_append_text(out, TEXT("        {\"id\": "));
  buffer_append_json_string(out, text_of(rule->name));
  buffer_append_text(out, TEXT(", "));
  put_text(out, "shortDescription", text_of(rule->summary));
  buffer_append_text(out, TEXT(", "));
  put_text(out, "fullDescription", text_of(rule->why));
  buffer_append_text(out, TEXT(", "));
  put_help(out, rule);
  const char *level =
      rule->default_action == ACTION_OFF ? "none" : level_of((int)rule->default_action);
  buffer_printf(out, ", \"defaultConfiguration\": {\"enabled\": %s, \"level\": \"%s\"}",
                rule->default_action == ACTION_OFF ? "false" : "true", level);
  buffer_printf(out, ", \"properties\": {\"tags\": [\"%s\"]}},\n", rule->id);
}

static void begin(struct buffer *out, const struct tally *tally) {
  (void)tally;
  buffer_printf(out,
                "{\n  \"$schema\": \"https://json.schemastore.org/sarif-2.1.0.json\",\n"
                "  \"version\": \"2.1.0\",\n  \"runs\": [{\n"
                "    \"tool\": {\"driver\": {\"name\": \"rayfix\", \"semanticVersion\": \"%s\", "
                "\"rules\": [\n",
                rayfix_version);
  for (size_t i = 0; i < validator_count; i++) {
    put_rule(out, validators[i]);
  }
  buffer_append_text(out, TEXT("        {\"id\": \"" REPORT_REQUEST_RULE "\", "));
  put_text(out, "shortDescription", TEXT("the object can be sent to an admission webhook"));
  buffer_append_text(out, TEXT("}\n    ]}},\n    \"results\": ["));
}

// ---- the results ----

static void put_location(struct buffer *out, const struct judged *judged,
                         const struct violation *violation) {
  buffer_append_text(out, TEXT("{\"physicalLocation\": {\"artifactLocation\": {\"uri\": "));
  put_uri(out, report_file(judged));
  buffer_printf(out, "}, \"region\": {\"startLine\": %zu}}", report_line(judged, violation));
  buffer_append_text(out, TEXT(", \"logicalLocations\": [{\"kind\": \"object\", "
                               "\"fullyQualifiedName\": "));
  buffer_auto name = {.max = MANIFEST_OUTPUT_MAX};
  buffer_append_text(&name, judged->kind);
  buffer_append(&name, "/", 1);
  buffer_append_text(&name, judged->name);
  buffer_append(&name, ":", violation->path.len > 0 ? 1 : 0);
  buffer_append_text(&name, violation->path);
  buffer_append_json_string(out, (struct text){name.data, name.len});
  out->failed = out->failed || name.failed;
  buffer_append_text(out, TEXT("}]}"));
}

static void put_message(struct buffer *out, const struct violation *violation) {
  buffer_auto message = {.max = MANIFEST_OUTPUT_MAX};
  buffer_append_text(&message, violation->message);
  if (violation->fix.len > 0) {
    buffer_append_text(&message, TEXT(". Fix: "));
    buffer_append_text(&message, violation->fix);
  }
  put_text(out, "message", (struct text){message.data, message.len});
  out->failed = out->failed || message.failed;
}

static void put_object(struct buffer *out, const struct judged *judged, const struct tally *tally) {
  (void)tally;
  for (size_t i = 0; i < judged->violation_count; i++) {
    const struct violation *violation = &judged->violations[i];
    bool first = out->len == 0;
    buffer_printf(out, "%s\n      {\"ruleId\": \"%s\", \"ruleIndex\": %zu, \"level\": \"%s\", ",
                  first ? "" : ",", violation->rule, rule_index(violation->rule),
                  level_of(violation->action));
    put_message(out, violation);
    buffer_append_text(out, TEXT(", \"locations\": ["));
    put_location(out, judged, violation);
    buffer_append_text(out, TEXT("]}"));
  }
}

static void end(struct buffer *out, const struct tally *tally) {
  (void)tally;
  buffer_append_text(out, TEXT("\n    ]\n  }]\n}\n"));
}

const struct report_format report_sarif = {
    .name = "sarif", .object = put_object, .begin = begin, .end = end};
