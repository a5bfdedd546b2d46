#include "certs/names.h"

#include <ctype.h>
#include <openssl/err.h>
#include <stdio.h>

#include "certs/certs.h"

// RFC 1035 §2.3.4.
#define DNS_NAME_MAX 253
#define DNS_LABEL_MAX 63

static const struct text loopback[] = {
    {"localhost", 9},
    {"127.0.0.1", 9},
    {"::1", 3},
};
#define LOOPBACK_COUNT (sizeof loopback / sizeof loopback[0])

// The bytes of an address; NULL if `name` is none.
static ASN1_OCTET_STRING *address_of(struct text name) {
  char text[64];
  if (name.len == 0 || name.len >= sizeof text || memchr(name.data, '\0', name.len) != NULL) {
    return NULL;
  }
  snprintf(text, sizeof text, "%.*s", TEXT_ARG(name));
  ASN1_OCTET_STRING *address = a2i_IPADDRESS(text);
  ERR_clear_error();
  return address;
}

// RFC 1123 §2.1: letters, digits and inner hyphens.
static bool label_is_valid(struct text label) {
  if (label.len == 0 || label.len > DNS_LABEL_MAX || label.data[0] == '-' ||
      label.data[label.len - 1] == '-') {
    return false;
  }
  for (size_t i = 0; i < label.len; i++) {
    unsigned char c = (unsigned char)label.data[i];
    if (c >= 0x80 || (!isalnum(c) && c != '-')) {
      return false;
    }
  }
  return true;
}

static bool dns_name_is_valid(struct text name) {
  if (name.len == 0 || name.len > DNS_NAME_MAX) {
    return false;
  }
  size_t from = text_starts_with(name, TEXT("*.")) ? 2 : 0;
  while (from <= name.len) {
    size_t dot = text_find(name, TEXT("."), from);
    if (!label_is_valid(text_slice(name, from, dot))) {
      return false;
    }
    from = dot + 1;
  }
  return true;
}

bool certs_name_is_valid(struct text name) {
  ASN1_OCTET_STRING *address = address_of(name);
  bool is_address = address != NULL;
  ASN1_OCTET_STRING_free(address);
  return is_address || dns_name_is_valid(name);
}

static bool push(GENERAL_NAMES *names, int type, ASN1_STRING *value) {
  GENERAL_NAME *name = GENERAL_NAME_new();
  if (name == NULL || value == NULL) {
    GENERAL_NAME_free(name);
    ASN1_STRING_free(value);
    return false;
  }
  GENERAL_NAME_set0_value(name, type, value);
  if (sk_GENERAL_NAME_push(names, name) == 0) {
    GENERAL_NAME_free(name);
    return false;
  }
  return true;
}

static bool push_dns(GENERAL_NAMES *names, struct text name) {
  ASN1_IA5STRING *value = ASN1_IA5STRING_new();
  if (value != NULL && ASN1_STRING_set(value, name.data, (int)name.len) != 1) {
    ASN1_IA5STRING_free(value);
    value = NULL;
  }
  return push(names, GEN_DNS, value);
}

static int add(GENERAL_NAMES *names, struct text name, struct error *error) {
  if (!certs_name_is_valid(name)) {
    return error_set(error, "\"%.*s\" is neither a DNS name nor an IP address", TEXT_ARG(name));
  }
  ASN1_OCTET_STRING *address = address_of(name);
  bool added = address == NULL ? push_dns(names, name) : push(names, GEN_IPADD, address);
  return added ? 0 : certs_openssl_error(error, "cannot add the name \"%.*s\"", TEXT_ARG(name));
}

static bool stands_before(const struct text *items, size_t count, struct text name) {
  for (size_t i = 0; i < count; i++) {
    if (text_equals_ignoring_case(items[i], name)) {
      return true;
    }
  }
  return false;
}

GENERAL_NAMES *certs_names_build(const struct text_list *names, struct error *error) {
  general_names_auto *result = GENERAL_NAMES_new();
  if (result == NULL) {
    certs_openssl_error(error, "cannot make a list of names");
    return NULL;
  }
  for (size_t i = 0; names != NULL && i < names->count; i++) {
    struct text name = names->items[i];
    if (stands_before(loopback, LOOPBACK_COUNT, name) || stands_before(names->items, i, name)) {
      continue;
    }
    if (add(result, name, error) != 0) {
      return NULL;
    }
  }
  for (size_t i = 0; i < LOOPBACK_COUNT; i++) {
    if (add(result, loopback[i], error) != 0) {
      return NULL;
    }
  }
  GENERAL_NAMES *stolen = result;
  result = NULL;
  return stolen;
}
