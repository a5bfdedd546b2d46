#include "admission/answer.h"

#include <limits.h>
#include <openssl/evp.h>

void answer_warn(struct answer *answer, struct text warning) {
  if (warning.len == 0) {
    return;
  }
  if (answer->warning_count == ANSWER_WARNINGS_MAX) {
    answer->warnings_left_out++;
    return;
  }
  answer->warnings[answer->warning_count++] = warning;
}

void answer_audit(struct answer *answer, const char *key, struct text value) {
  if (value.len > 0 && answer->audit_count < ANSWER_AUDIT_MAX) {
    answer->audit[answer->audit_count++] = (struct audit_annotation){key, value};
  }
}

static void write_warning(struct buffer *out, struct text warning) {
  char clean[ANSWER_WARNING_BYTES];
  struct text shown = text_cut(warning, sizeof clean);
  memcpy(clean, shown.data, shown.len);
  text_blank_controls(clean, shown.len);
  buffer_append_json_string(out, (struct text){clean, shown.len});
}

static void write_warnings(const struct answer *answer, struct arena *arena, struct buffer *out) {
  if (answer->warning_count == 0) {
    return;
  }
  size_t shown = answer->warning_count - (answer->warnings_left_out > 0 ? 1 : 0);
  buffer_append_text(out, TEXT(",\"warnings\":["));
  for (size_t i = 0; i < shown; i++) {
    buffer_append(out, ",", i == 0 ? 0 : 1);
    write_warning(out, answer->warnings[i]);
  }
  if (answer->warnings_left_out > 0) {
    buffer_append_text(out, TEXT(","));
    struct text more = arena_printf(arena, "rayfix: %zu more warnings are left out",
                                    answer->warnings_left_out + 1);
    write_warning(out, more);
  }
  buffer_append_text(out, TEXT("]"));
}

static void write_audit(const struct answer *answer, struct buffer *out) {
  if (answer->audit_count == 0) {
    return;
  }
  buffer_append_text(out, TEXT(",\"auditAnnotations\":{"));
  for (size_t i = 0; i < answer->audit_count; i++) {
    buffer_append(out, ",", i == 0 ? 0 : 1);
    buffer_append_json_string(out, text_of(answer->audit[i].key));
    buffer_append_text(out, TEXT(":"));
    buffer_append_json_string(out, text_cut(answer->audit[i].value, ANSWER_AUDIT_BYTES));
  }
  buffer_append_text(out, TEXT("}"));
}

static void write_status_members(int code, const char *reason, struct text message,
                                 struct buffer *out) {
  buffer_append_text(out, TEXT("\"status\":\"Failure\",\"message\":"));
  buffer_append_json_string(out, text_cut(message, ANSWER_MESSAGE_BYTES));
  buffer_printf(out, ",\"reason\":\"%s\",\"code\":%d}", reason, code);
}

// base64 of the patch, straight into the buffer.
static void write_patch(struct text patch, struct buffer *out) {
  if (patch.len == 0) {
    return;
  }
  if (patch.len > INT_MAX / 2) {
    out->failed = true;
    return;
  }
  buffer_append_text(out, TEXT(",\"patch\":\""));
  size_t encoded = (patch.len + 2) / 3 * 4;
  if (buffer_reserve(out, encoded + 1)) {
    EVP_EncodeBlock((unsigned char *)out->data + out->len, (const unsigned char *)patch.data,
                    (int)patch.len);
    out->len += encoded;
  }
  buffer_append_text(out, TEXT("\",\"patchType\":\"JSONPatch\""));
}

int answer_write(const struct answer *answer, struct arena *arena, struct buffer *out) {
  buffer_append_text(out, TEXT("{\"kind\":\"AdmissionReview\",\"apiVersion\":"
                               "\"admission.k8s.io/v1\",\"response\":{\"uid\":"));
  buffer_append_json_string(out, answer->uid);
  buffer_printf(out, ",\"allowed\":%s", answer->allowed ? "true" : "false");
  if (!answer->allowed) {
    buffer_append_text(out, TEXT(",\"status\":{"));
    write_status_members(answer->code, answer->reason, answer->message, out);
  }
  write_patch(answer->patch, out);
  write_audit(answer, out);
  write_warnings(answer, arena, out);
  buffer_append_text(out, TEXT("}}\n"));
  return out->failed ? -1 : 0;
}

int answer_write_status(int code, const char *reason, struct text message, struct buffer *out) {
  buffer_append_text(out, TEXT("{\"kind\":\"Status\",\"apiVersion\":\"v1\","));
  write_status_members(code, reason, message, out);
  buffer_append_text(out, TEXT("\n"));
  return out->failed ? -1 : 0;
}
