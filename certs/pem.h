#pragma once

#include <stdbool.h>

#include "admission/text.h"
#include "certs/files.h"
#include "certs/openssl.h"

// PEM in and out.

// Every certificate in `path`, in order; at least one. New; NULL with an error.
STACK_OF(X509) * certs_pem_read_certificates(const char *path, struct error *error);

// As above, but a file that is absent or empty gives NULL without an error: error->text is empty.
STACK_OF(X509) * certs_pem_read_optional_certificates(const char *path, struct error *error);

// The private key in `path`, which must not be encrypted. New; NULL with an error.
EVP_PKEY *certs_pem_read_key(const char *path, struct error *error);

// As certs_pem_read_certificates() and certs_pem_read_key(), of bytes in memory; `name` stands for
// the file in messages.
STACK_OF(X509) * certs_pem_parse_certificates(const char *name, const struct certs_bytes *bytes,
                                              struct error *error);
EVP_PKEY *certs_pem_parse_key(const char *name, const struct certs_bytes *bytes,
                              struct error *error);

// Every certificate in `pem` that can be read; *ret_all is false if there was something else.
// NULL when memory is short.
STACK_OF(X509) * certs_pem_salvage_certificates(struct text pem, bool *ret_all);

// All certificates of `stack` as PEM, without what stood between them in the file.
int certs_pem_write_certificates(const STACK_OF(X509) * stack, struct certs_bytes *ret,
                                 struct error *error);

// PKCS #8, not encrypted.
int certs_pem_write_key(const EVP_PKEY *key, struct certs_bytes *ret, struct error *error);
