#include "cluster/base64.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

// Without blanks, so that the length is a multiple of four. False on a byte that has no place.
static bool pack(struct text text, struct buffer *packed, size_t *ret_padding) {
  *ret_padding = 0;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.data[i];
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      continue;
    }
    *ret_padding += c == '=' ? 1 : 0;
    if ((*ret_padding > 0 && c != '=') || *ret_padding > 2 || !buffer_append(packed, &c, 1)) {
      return false;
    }
  }
  return packed->len % 4 == 0 && packed->len <= INT_MAX;
}

static void wipe(struct buffer *buffer) {
  if (buffer->data != NULL) {
    explicit_bzero(buffer->data, buffer->len);
  }
  buffer_free(buffer);
}

bool base64_decode(struct text text, struct buffer *out) {
  __attribute__((cleanup(wipe))) struct buffer packed = {.max = text.len};
  size_t padding = 0;
  if (!pack(text, &packed, &padding)) {
    return false;
  }
  // OpenSSL writes the zeros of the padding too.
  size_t size = packed.len / 4 * 3;
  if (size == 0 || !buffer_reserve(out, size)) {
    return size == 0;
  }
  int got = EVP_DecodeBlock((unsigned char *)out->data + out->len,
                            (const unsigned char *)packed.data, (int)packed.len);
  if (got < 0 || (size_t)got != size) {
    return false;
  }
  out->len += size - padding;
  return true;
}

bool base64_encode(struct text bytes, struct buffer *out) {
  size_t size = (bytes.len + 2) / 3 * 4;
  if (bytes.len == 0) {
    return !out->failed;
  }
  if (bytes.len > INT_MAX / 2 || !buffer_reserve(out, size + 1)) {
    return false;
  }
  EVP_EncodeBlock((unsigned char *)out->data + out->len, (const unsigned char *)bytes.data,
                  (int)bytes.len);
  out->len += size;
  return true;
}
