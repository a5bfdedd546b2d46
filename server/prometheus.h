#pragma once

#include <stddef.h>
#include <stdint.h>

#include "admission/buffer.h"

// The Prometheus text format, version 0.0.4:
// https://prometheus.io/docs/instrumenting/exposition_formats/

#define PROMETHEUS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

// "# HELP" and "# TYPE"; before the samples of the family.
void prometheus_family(struct buffer *out, const char *name, const char *type, const char *help);

// One sample. `labels` is what stands between the braces, already escaped; NULL for none.
void prometheus_integer(struct buffer *out, const char *name, const char *labels, int64_t value);
void prometheus_number(struct buffer *out, const char *name, const char *labels, double value);

// The samples of a histogram. `bounds` are upper limits in seconds; `counts` has count + 1
// entries, not cumulated, the last for +Inf.
void prometheus_histogram(struct buffer *out, const char *name, const char *labels,
                          const double *bounds, const uint64_t *counts, size_t count, double sum);

// Escapes a label value into `escaped` (size bytes, NUL-terminated, cut if need be).
void prometheus_escape(const char *value, char *escaped, size_t size);
