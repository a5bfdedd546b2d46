#include <openssl/evp.h>
#include <stdlib.h>

#include "cli/manifest_yaml.h"
#include "cli/scalar.h"

#define CORE_TAG "tag:yaml.org,2002:"

static int out_of_memory(struct error *error) {
  error_set(error, "out of memory");
  return MANIFEST_UNREADABLE;
}

static int put_string(yyjson_mut_doc *doc, struct text text, yyjson_mut_val **ret_value,
                      struct error *error) {
  *ret_value = yyjson_mut_strncpy(doc, text.data, text.len);
  return *ret_value == NULL ? out_of_memory(error) : 0;
}

static int put_raw(yyjson_mut_doc *doc, struct text text, yyjson_mut_val **ret_value,
                   struct error *error) {
  *ret_value = yyjson_mut_rawncpy(doc, text.data, text.len);
  return *ret_value == NULL ? out_of_memory(error) : 0;
}

// Only what JSON can hold: the decoded bytes must be UTF-8, which Go would silently mend.
static bool is_utf8(const unsigned char *bytes, size_t len) {
  for (size_t i = 0; i < len;) {
    unsigned char lead = bytes[i];
    size_t more = lead < 0x80                   ? 0
                  : lead >= 0xC2 && lead < 0xE0 ? 1
                  : lead >= 0xE0 && lead < 0xF0 ? 2
                  : lead >= 0xF0 && lead < 0xF5 ? 3
                                                : len;
    if (more >= len - i) {
      return false;
    }
    for (size_t k = 1; k <= more; k++) {
      if ((bytes[i + k] & 0xC0) != 0x80) {
        return false;
      }
    }
    bool overlong = (lead == 0xE0 && bytes[i + 1] < 0xA0) || (lead == 0xF0 && bytes[i + 1] < 0x90);
    bool beyond = (lead == 0xED && bytes[i + 1] > 0x9F) || (lead == 0xF4 && bytes[i + 1] > 0x8F);
    if (overlong || beyond) {
      return false;
    }
    i += more + 1;
  }
  return true;
}

// !!binary: go-yaml puts the decoded bytes into the string.
static int put_binary(yyjson_mut_doc *doc, struct text base64, yyjson_mut_val **ret_value,
                      struct error *error) {
  unsigned char *packed = calloc(1, base64.len + 1);
  unsigned char *bytes = calloc(1, base64.len + 4);
  size_t len = 0;
  size_t padding = 0;
  for (size_t i = 0; packed != NULL && i < base64.len; i++) {
    if (memchr(" \t\r\n", base64.data[i], 4) == NULL) {
      packed[len++] = (unsigned char)base64.data[i];
      padding = base64.data[i] == '=' ? padding + 1 : 0;
    }
  }
  int status = 0;
  if (packed == NULL || bytes == NULL) {
    status = out_of_memory(error);
  } else {
    int decoded = len > INT32_MAX ? -1 : EVP_DecodeBlock(bytes, packed, (int)len);
    size_t size = decoded < 0 || padding > 2 ? 0 : (size_t)decoded - (len == 0 ? 0 : padding);
    if (decoded < 0 || padding > 2 || !is_utf8(bytes, size)) {
      error_set(error, "!!binary must be base64 of UTF-8 text");
      status = MANIFEST_INVALID;
    } else {
      status = put_string(doc, (struct text){(const char *)bytes, size}, ret_value, error);
    }
  }
  free(packed);
  free(bytes);
  return status;
}

struct core_tag {
  struct text name;
  unsigned accepted;  // one bit per scalar_kind
};

#define KIND(kind) (1U << (unsigned)(kind))

// go-yaml v2 resolve(): a scalar with a tag must be what the tag says; an integer may be a !!float.
static const struct core_tag core_tags[] = {
    {{"null", 4}, KIND(SCALAR_NULL)},
    {{"bool", 4}, KIND(SCALAR_BOOL)},
    {{"int", 3}, KIND(SCALAR_INT)},
    {{"float", 5}, KIND(SCALAR_INT) | KIND(SCALAR_FLOAT)},
};

static int put_tagged(yyjson_mut_doc *doc, struct text tag, struct text value,
                      yyjson_mut_val **ret_value, struct error *error) {
  struct text prefix = TEXT(CORE_TAG);
  if (!text_starts_with(tag, prefix)) {
    return put_string(doc, value, ret_value, error);  // tags that are not known are ignored
  }
  struct text name = text_slice(tag, prefix.len, tag.len);
  if (text_equals(name, TEXT("binary"))) {
    return put_binary(doc, value, ret_value, error);
  }
  for (size_t i = 0; i < sizeof core_tags / sizeof core_tags[0]; i++) {
    if (!text_equals(name, core_tags[i].name)) {
      continue;
    }
    struct scalar scalar = scalar_resolve(value);
    if ((core_tags[i].accepted & KIND(scalar.kind)) == 0) {
      error_set(error, "\"%.*s\" is not what !!%.*s says", TEXT_ARG(value), TEXT_ARG(name));
      return MANIFEST_INVALID;
    }
    return put_raw(doc, (struct text){scalar.json, scalar.len}, ret_value, error);
  }
  return put_string(doc, value, ret_value, error);
}

int manifest_yaml_scalar(yyjson_mut_doc *doc, const yaml_event_t *event, yyjson_mut_val **ret_value,
                         struct error *error) {
  struct text value = {(const char *)event->data.scalar.value, event->data.scalar.length};
  const char *tag = (const char *)event->data.scalar.tag;
  if (tag != NULL) {
    return put_tagged(doc, text_of(tag), value, ret_value, error);
  }
  if (!event->data.scalar.plain_implicit || event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) {
    return put_string(doc, value, ret_value, error);
  }
  switch (scalar_resolve(value).kind) {
    case SCALAR_STRING:
      return put_string(doc, value, ret_value, error);
    case SCALAR_NOT_JSON:
      error_set(error, "%.*s: JSON and Kubernetes have no such number; quote it if it is text",
                TEXT_ARG(value));
      return MANIFEST_INVALID;
    case SCALAR_NULL:
    case SCALAR_BOOL:
    case SCALAR_INT:
    case SCALAR_FLOAT:
    default:
      return put_raw(doc, value, ret_value, error);
  }
}

int manifest_yaml_key(yyjson_mut_doc *doc, yyjson_mut_val *scalar, yyjson_mut_val **ret_key,
                      struct error *error) {
  struct text text = {yyjson_mut_get_str(scalar), yyjson_mut_get_len(scalar)};
  if (yyjson_mut_is_str(scalar)) {
    return put_string(doc, text, ret_key, error);
  }
  if (!yyjson_mut_is_raw(scalar)) {
    error_set(error, "a mapping key must be a string");
    return MANIFEST_INVALID;
  }
  text = (struct text){yyjson_mut_get_raw(scalar), yyjson_mut_get_len(scalar)};
  struct scalar key = scalar_resolve_key(text);
  if (key.kind == SCALAR_NULL) {
    error_set(error, "a mapping key must be a string, not null");
    return MANIFEST_INVALID;
  }
  return put_string(doc, (struct text){key.json, key.len}, ret_key, error);
}
