#pragma once

#include <stdbool.h>
#include <time.h>

#include "admission/text.h"
#include "certs/certs.h"
#include "certs/openssl.h"

// What must hold before a certificate is served.

// The parsed files and their paths, for the messages. Borrowed.
struct certs_material {
  STACK_OF(X509) * chain;  // leaf first
  EVP_PKEY *key;
  STACK_OF(X509) * anchors;  // of ca.crt; NULL without one
  const char *chain_path;
  const char *key_path;
  const char *ca_path;
};

// 0 if all of it holds at time `now`, or -1 with the first reason why not.
int certs_check(const struct certs_material *material, const struct text_list *dns_names,
                time_t now, struct error *error);

// True if `key` is the private half of the key in `cert`.
bool certs_key_belongs(const X509 *cert, const EVP_PKEY *key);

// The pair of material that has passed the checks. It is written anew from what was parsed, so that
// what is served is what was checked. NULL with an error.
struct certs_pair *certs_pair_new(const struct certs_material *material, struct error *error);
