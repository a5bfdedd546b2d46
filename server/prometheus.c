#include "server/prometheus.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void prometheus_family(struct buffer *out, const char *name, const char *type, const char *help) {
  buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_name(struct buffer *out, const char *name, const char *labels) {
  if (labels == NULL) {
    buffer_printf(out, "%s ", name);
  } else {
    buffer_printf(out, "%s{%s} ", name, labels);
  }
}

void prometheus_integer(struct buffer *out, const char *name, const char *labels, int64_t value) {
  write_name(out, name, labels);
  buffer_printf(out, "%" PRId64 "\n", value);
}

void prometheus_number(struct buffer *out, const char *name, const char *labels, double value) {
  write_name(out, name, labels);
  buffer_printf(out, "%.9g\n", value);
}

void prometheus_histogram(struct buffer *out, const char *name, const char *labels,
                          const double *bounds, const uint64_t *counts, size_t count, double sum) {
  const char *comma = labels == NULL ? "" : ",";
  const char *shown = labels == NULL ? "" : labels;
  uint64_t total = 0;
  for (size_t i = 0; i < count; i++) {
    total += counts[i];
    buffer_printf(out, "%s_bucket{%s%sle=\"%g\"} %" PRIu64 "\n", name, shown, comma, bounds[i],
                  total);
  }
  total += counts[count];
  buffer_printf(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name, shown, comma, total);
  buffer_printf(out, "%s_sum%s%s%s %.9g\n", name, labels == NULL ? "" : "{", shown,
                labels == NULL ? "" : "}", sum);
  buffer_printf(out, "%s_count%s%s%s %" PRIu64 "\n", name, labels == NULL ? "" : "{", shown,
                labels == NULL ? "" : "}", total);
}

void prometheus_escape(const char *value, char *escaped, size_t size) {
  size_t len = 0;
  for (; *value != '\0' && len + 3 <= size; value++) {
    if (*value == '\n' || *value == '"' || *value == '\\') {
      escaped[len++] = '\\';
      escaped[len++] = *value == '\n' ? 'n' : *value;
    } else {
      escaped[len++] = *value;
    }
  }
  escaped[len] = '\0';
}
