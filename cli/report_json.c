#include "cli/report.h"

static void put_member(struct buffer *out, const char *key, struct text value) {
  buffer_printf(out, ", \"%s\": ", key);
  buffer_append_json_string(out, value);
}

static void put_violation(struct buffer *out, const struct judged *judged,
                          const struct violation *violation) {
  buffer_printf(out, "{\"line\": %zu", report_line(judged, violation));
  put_member(out, "rule", text_of(violation->rule));
  put_member(out, "id", text_of(violation->id));
  put_member(out, "action", text_of(validator_action_names[violation->action]));
  put_member(out, "message", violation->message);
  put_member(out, "path", violation->path);
  put_member(out, "found", violation->found);
  put_member(out, "wanted", violation->wanted);
  put_member(out, "fix", violation->fix);
  buffer_append(out, "}", 1);
}

static void put_object(struct buffer *out, const struct judged *judged, const struct tally *tally) {
  buffer_printf(out, "%s\n    {\"file\": ", report_is_first(tally) ? "" : ",");
  buffer_append_json_string(out, report_file(judged));
  buffer_printf(out, ", \"line\": %zu", judged->line);
  put_member(out, "apiVersion", judged->api_version);
  put_member(out, "kind", judged->kind);
  put_member(out, "namespace", judged->namespace_name);
  put_member(out, "name", judged->name);
  buffer_printf(out, ", \"allowed\": %s", judged->allowed ? "true" : "false");
  put_member(out, "message", judged->message);
  buffer_append_text(out, TEXT(", \"violations\": ["));
  for (size_t i = 0; i < judged->violation_count; i++) {
    buffer_printf(out, "%s\n      ", i == 0 ? "" : ",");
    put_violation(out, judged, &judged->violations[i]);
  }
  buffer_append_text(out, judged->violation_count == 0 ? TEXT("]}") : TEXT("\n    ]}"));
}

static void begin(struct buffer *out, const struct tally *tally) {
  size_t objects = tally->fine + tally->warned + tally->denied;
  buffer_printf(
      out,
      "{\n  \"apiVersion\": \"rayfix.io/v1alpha1\",\n  \"kind\": \"ValidationReport\",\n"
      "  \"summary\": {\"objects\": %zu, \"denied\": %zu, \"warned\": %zu, \"fine\": %zu, "
      "\"skipped\": %zu},\n  \"results\": [",
      objects, tally->denied, tally->warned, tally->fine, tally->skipped);
}

static void end(struct buffer *out, const struct tally *tally) {
  buffer_append_text(out, report_is_first(tally) ? TEXT("]\n}\n") : TEXT("\n  ]\n}\n"));
}

const struct report_format report_json = {
    .name = "json", .object = put_object, .begin = begin, .end = end};
