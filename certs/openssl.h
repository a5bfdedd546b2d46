#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "admission/error.h"

// What every file of this folder needs of OpenSSL: cleanup attributes and errors.

static inline void certs_x509_cleanup(X509 **cert) {
  X509_free(*cert);
}
static inline void certs_x509_stack_cleanup(STACK_OF(X509) * *stack) {
  sk_X509_pop_free(*stack, X509_free);
}
static inline void certs_pkey_cleanup(EVP_PKEY **key) {
  EVP_PKEY_free(*key);
}
static inline void certs_bio_cleanup(BIO **bio) {
  BIO_free_all(*bio);
}
static inline void certs_general_names_cleanup(GENERAL_NAMES **names) {
  GENERAL_NAMES_free(*names);
}

#define x509_auto __attribute__((cleanup(certs_x509_cleanup))) X509
#define x509_stack_auto __attribute__((cleanup(certs_x509_stack_cleanup))) STACK_OF(X509)
#define pkey_auto __attribute__((cleanup(certs_pkey_cleanup))) EVP_PKEY
#define bio_auto __attribute__((cleanup(certs_bio_cleanup))) BIO
#define general_names_auto __attribute__((cleanup(certs_general_names_cleanup))) GENERAL_NAMES

// Sets the formatted text, ": " and the reason of OpenSSL's newest error, and empties the thread's
// queue of errors. Returns -1.
__attribute__((format(printf, 2, 3))) int certs_openssl_error(struct error *error,
                                                              const char *format, ...);
