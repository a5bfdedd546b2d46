#include "cli/report.h"

bool report_is_first(const struct tally *tally) {
  return tally->fine + tally->warned + tally->denied == 0;
}

size_t report_line(const struct judged *judged, const struct violation *violation) {
  return manifest_lines_find(judged->manifest->lines, judged->object, violation->path,
                             judged->line);
}

struct text report_file(const struct judged *judged) {
  return text_of(judged->manifest->file);
}

// C0, DEL, and the C1 controls, which UTF-8 writes as 0xc2 0x80…0x9f.
static size_t control_length(struct text text, size_t i) {
  unsigned char c = (unsigned char)text.data[i];
  unsigned char next = i + 1 < text.len ? (unsigned char)text.data[i + 1] : 0;
  if (c < 0x20 || c == 0x7f) {
    return 1;
  }
  return c == 0xc2 && next >= 0x80 && next <= 0x9f ? 2 : 0;
}

void report_put_line(struct buffer *out, struct text text) {
  size_t start = 0;
  for (size_t i = 0; i < text.len; i++) {
    size_t len = control_length(text, i);
    if (len > 0) {
      buffer_append(out, text.data + start, i - start);
      buffer_append(out, " ", 1);
      start = i + len;
      i += len - 1;
    }
  }
  if (start < text.len) {
    buffer_append(out, text.data + start, text.len - start);
  }
}
