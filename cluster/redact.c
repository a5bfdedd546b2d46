#include "cluster/redact.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_base64(char c) {
  return is_alphanumeric(c) || c == '+' || c == '/' || c == '=';
}

// RFC 7519 §3: three parts of base64url with dots between them; also other opaque tokens.
static bool is_token(char c) {
  return is_base64(c) || c == '-' || c == '_' || c == '.' || c == '~';
}

static size_t run_length(struct text text, size_t from, bool (*is_part)(char)) {
  size_t at = from;
  while (at < text.len && is_part(text.data[at])) {
    at++;
  }
  return at - from;
}

static size_t secret_length(struct text rest, const struct text *secrets, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (secrets[i].len >= REDACT_SECRET_MIN && text_starts_with(rest, secrets[i])) {
      return secrets[i].len;
    }
  }
  return 0;
}

// From "-----BEGIN" to the end of the "-----END …-----" line, or of the message, if it was cut.
static size_t pem_length(struct text rest) {
  if (!text_starts_with(rest, TEXT("-----BEGIN"))) {
    return 0;
  }
  size_t end = text_find(rest, TEXT("-----END"), 0);
  if (end == rest.len) {
    return rest.len;
  }
  size_t dashes = text_find(rest, TEXT("-----"), end + 8);
  return dashes == rest.len ? rest.len : dashes + 5;
}

static size_t token_length(struct text rest) {
  if (text_starts_with(rest, TEXT("eyJ"))) {
    size_t len = run_length(rest, 0, is_token);
    return len > 20 ? len : 0;
  }
  return 0;
}

// How many bytes at the start of `rest` are a secret.
static size_t hidden_length(struct text rest, bool at_word, const struct text *secrets,
                            size_t count) {
  size_t len = secret_length(rest, secrets, count);
  len = len == 0 ? pem_length(rest) : len;
  if (len == 0 && at_word) {
    len = token_length(rest);
    size_t run = len == 0 ? run_length(rest, 0, is_base64) : 0;
    len = run >= REDACT_BASE64_MIN ? run : len;
  }
  return len;
}

static void put(char *out, size_t size, size_t *len, struct text text) {
  for (size_t i = 0; i < text.len && *len + 1 < size; i++) {
    out[(*len)++] = text.data[i];
  }
}

// Messages are at most as long as a struct error; what is longer is cut.
#define MESSAGE_MAX 4096

void redact(char *message, size_t size, const struct text *secrets, size_t count) {
  static const struct text bearer = {"Bearer ", 7};
  char out[MESSAGE_MAX];
  size_t room = size < sizeof out ? size : sizeof out;
  size_t len = 0;
  struct text text = {message, strnlen(message, size)};
  for (size_t at = 0; at < text.len;) {
    struct text rest = text_slice(text, at, text.len);
    bool at_word = at == 0 || !is_base64(text.data[at - 1]);
    size_t hidden = hidden_length(rest, at_word, secrets, count);
    if (hidden > 0) {
      put(out, room, &len, TEXT(REDACTED));
    } else if (text_starts_with(rest, bearer) && rest.len > bearer.len) {
      put(out, room, &len, bearer);
      put(out, room, &len, TEXT(REDACTED));
      hidden = bearer.len + run_length(rest, bearer.len, is_token);
    } else {
      put(out, room, &len, text_slice(rest, 0, 1));
      hidden = 1;
    }
    at += hidden;
  }
  out[len] = '\0';
  snprintf(message, size, "%s", out);
  explicit_bzero(out, sizeof out);
}
