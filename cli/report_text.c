#include "cli/report.h"

// As a compiler writes: file:line: what, so that editors and CI systems find the place.

static void put_detail(struct buffer *out, const char *name, struct text text) {
  if (text.len > 0) {
    buffer_printf(out, "    %-7s ", name);
    report_put_line(out, text);
    buffer_append(out, "\n", 1);
  }
}

static void put_name(struct buffer *out, const struct judged *judged) {
  report_put_line(out, judged->kind);
  buffer_append(out, "/", 1);
  report_put_line(out, judged->name.len > 0 ? judged->name : TEXT("(no name)"));
}

static void put_violation(struct buffer *out, const struct judged *judged,
                          const struct violation *violation) {
  report_put_line(out, report_file(judged));
  buffer_printf(out, ":%zu: ", report_line(judged, violation));
  put_name(out, judged);
  buffer_printf(out, ": %s %s", validator_action_names[violation->action], violation->rule);
  if (violation->id[0] != '\0') {
    buffer_printf(out, " (%s)", violation->id);
  }
  buffer_append_text(out, TEXT(": "));
  report_put_line(out, violation->message);
  buffer_append(out, "\n", 1);
  put_detail(out, "path:", violation->path);
  put_detail(out, "found:", violation->found);
  put_detail(out, "wanted:", violation->wanted);
  put_detail(out, "fix:", violation->fix);
}

static void put_object(struct buffer *out, const struct judged *judged, const struct tally *tally) {
  (void)tally;
  for (size_t i = 0; i < judged->violation_count; i++) {
    put_violation(out, judged, &judged->violations[i]);
  }
}

static void nothing(struct buffer *out, const struct tally *tally) {
  (void)out;
  (void)tally;
}

static void put_summary(struct buffer *out, const struct tally *tally) {
  size_t objects = tally->fine + tally->warned + tally->denied;
  buffer_printf(out, "%zu object%s: %zu denied, %zu with warnings, %zu fine", objects,
                objects == 1 ? "" : "s", tally->denied, tally->warned, tally->fine);
  if (tally->skipped > 0) {
    buffer_printf(out, "; %zu of other kinds skipped", tally->skipped);
  }
  buffer_append(out, "\n", 1);
  if (tally->denied + tally->warned > 0) {
    buffer_append_text(out, TEXT("'rayfix explain RULE' says why, how to set a limit and how to be "
                                 "exempted.\n"));
  }
}

const struct report_format report_text = {
    .name = "text", .object = put_object, .begin = nothing, .end = put_summary};
