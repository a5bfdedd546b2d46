#include "cli/report.h"

// The XML that Jenkins, GitLab and others read as test results: one test case for each object; a
// denial is a failure, warnings are output.

// XML 1.0 §2.2 allows no control character but tab and line ends, and not U+FFFE and U+FFFF.
static size_t forbidden_length(struct text text, size_t i) {
  unsigned char c = (unsigned char)text.data[i];
  if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') {
    return 1;
  }
  struct text rest = text_slice(text, i, text.len);
  return text_starts_with(rest, TEXT("\xEF\xBF\xBE")) ||
                 text_starts_with(rest, TEXT("\xEF\xBF\xBF"))
             ? 3
             : 0;
}

// What stands for `c`; NULL for itself. Line ends as references, or an attribute loses them.
static const char *reference_of(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\t':
      return "&#9;";
    case '\n':
      return "&#10;";
    case '\r':
      return "&#13;";
    default:
      return NULL;
  }
}

static void put_escaped(struct buffer *out, struct text text) {
  for (size_t i = 0; i < text.len; i++) {
    size_t forbidden = forbidden_length(text, i);
    const char *reference = reference_of(text.data[i]);
    if (forbidden > 0) {
      i += forbidden - 1;
    } else if (reference != NULL) {
      buffer_append_text(out, text_of(reference));
    } else {
      buffer_append(out, text.data + i, 1);
    }
  }
}

static void put_attribute(struct buffer *out, const char *name, struct text value) {
  buffer_printf(out, " %s=\"", name);
  put_escaped(out, value);
  buffer_append(out, "\"", 1);
}

static void put_lines(struct buffer *out, const struct judged *judged, bool denied) {
  buffer_auto lines = {.max = MANIFEST_OUTPUT_MAX};
  for (size_t i = 0; i < judged->violation_count; i++) {
    if ((judged->violations[i].action == ACTION_DENY) == denied) {
      struct judged one = *judged;
      one.violations = &judged->violations[i];
      one.violation_count = 1;
      report_text.object(&lines, &one, NULL);
    }
  }
  out->failed = out->failed || lines.failed;
  // Line ends as they are: this is content, not an attribute.
  struct text rest = {lines.data, lines.len};
  while (rest.len > 0) {
    size_t end = text_find(rest, TEXT("\n"), 0);
    put_escaped(out, text_slice(rest, 0, end));
    buffer_append(out, "\n", 1);
    rest = text_slice(rest, end + 1, rest.len);
  }
}

static size_t count_denied(const struct judged *judged) {
  size_t count = 0;
  for (size_t i = 0; i < judged->violation_count; i++) {
    count += judged->violations[i].action == ACTION_DENY ? 1 : 0;
  }
  return count;
}

static void put_outcome(struct buffer *out, const struct judged *judged) {
  size_t denied = count_denied(judged);
  if (denied > 0) {
    buffer_append_text(out, TEXT("      <failure type=\"denied\""));
    put_attribute(out, "message", judged->message);
    buffer_append_text(out, TEXT(">"));
    put_lines(out, judged, true);
    buffer_append_text(out, TEXT("</failure>\n"));
  }
  if (denied < judged->violation_count) {
    buffer_append_text(out, TEXT("      <system-out>"));
    put_lines(out, judged, false);
    buffer_append_text(out, TEXT("</system-out>\n"));
  }
}

static void put_object(struct buffer *out, const struct judged *judged, const struct tally *tally) {
  (void)tally;
  buffer_auto name = {.max = MANIFEST_OUTPUT_MAX};
  buffer_append_text(&name, judged->kind);
  buffer_append(&name, " ", 1);
  buffer_append_text(&name, judged->namespace_name);
  buffer_append(&name, "/", judged->namespace_name.len > 0 ? 1 : 0);
  buffer_append_text(&name, judged->name);
  out->failed = out->failed || name.failed;
  buffer_append_text(out, TEXT("    <testcase"));
  put_attribute(out, "classname", report_file(judged));
  put_attribute(out, "name", (struct text){name.data, name.len});
  if (judged->violation_count == 0) {
    buffer_append_text(out, TEXT("/>\n"));
    return;
  }
  buffer_append_text(out, TEXT(">\n"));
  put_outcome(out, judged);
  buffer_append_text(out, TEXT("    </testcase>\n"));
}

static void begin(struct buffer *out, const struct tally *tally) {
  size_t objects = tally->fine + tally->warned + tally->denied;
  buffer_printf(out,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
                "  <testsuite name=\"rayfix validate\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" "
                "skipped=\"0\">\n",
                objects, tally->denied);
}

static void end(struct buffer *out, const struct tally *tally) {
  (void)tally;
  buffer_append_text(out, TEXT("  </testsuite>\n</testsuites>\n"));
}

const struct report_format report_junit = {
    .name = "junit", .object = put_object, .begin = begin, .end = end};
