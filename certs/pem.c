#include "certs/pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

// The end of the file looks like this to the PEM reader.
static bool is_end_of_pem(void) {
  unsigned long code = ERR_peek_last_error();
  return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

// Appends every certificate that `bio` holds.
static int read_certificates(BIO *bio, const char *path, STACK_OF(X509) * stack,
                             struct error *error) {
  ERR_clear_error();
  for (;;) {
    x509_auto *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    if (cert == NULL && is_end_of_pem()) {
      ERR_clear_error();
      break;
    }
    if (cert == NULL) {
      return certs_openssl_error(error, "%s: certificate %d in it is damaged", path,
                                 sk_X509_num(stack) + 1);
    }
    if (sk_X509_push(stack, cert) == 0) {
      return certs_openssl_error(error, "%s: cannot keep a certificate", path);
    }
    cert = NULL;
  }
  if (sk_X509_num(stack) == 0) {
    return error_set(error, "%s: no certificate in it; wanted PEM: -----BEGIN CERTIFICATE-----",
                     path);
  }
  return 0;
}

STACK_OF(X509) * certs_pem_parse_certificates(const char *path, const struct certs_bytes *bytes,
                                              struct error *error) {
  bio_auto *bio = BIO_new_mem_buf(bytes->len == 0 ? "" : bytes->data, (int)bytes->len);
  x509_stack_auto *stack = sk_X509_new_null();
  if (bio == NULL || stack == NULL) {
    certs_openssl_error(error, "%s: cannot parse", path);
    return NULL;
  }
  if (read_certificates(bio, path, stack, error) != 0) {
    return NULL;
  }
  STACK_OF(X509) *result = stack;
  stack = NULL;
  return result;
}

// More blocks in one file are not looked at: a bundle that somebody has filled up.
#define BLOCKS_MAX 256

STACK_OF(X509) * certs_pem_salvage_certificates(struct text pem, bool *ret_all) {
  bio_auto *bio = BIO_new_mem_buf(pem.len == 0 ? "" : pem.data, (int)pem.len);
  x509_stack_auto *stack = sk_X509_new_null();
  if (bio == NULL || stack == NULL) {
    return NULL;
  }
  *ret_all = true;
  for (int i = 0; i < BLOCKS_MAX; i++) {
    ERR_clear_error();
    x509_auto *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    if (cert == NULL && is_end_of_pem()) {
      break;
    }
    if (cert == NULL) {
      *ret_all = false;
      continue;
    }
    if (sk_X509_push(stack, cert) == 0) {
      return NULL;
    }
    cert = NULL;
  }
  ERR_clear_error();
  if (sk_X509_num(stack) == 0 && pem.len > 0) {
    *ret_all = false;
  }
  STACK_OF(X509) *result = stack;
  stack = NULL;
  return result;
}

STACK_OF(X509) * certs_pem_read_certificates(const char *path, struct error *error) {
  certs_bytes_auto bytes = {0};
  if (certs_file_read(path, false, &bytes, error) != 0) {
    return NULL;
  }
  return certs_pem_parse_certificates(path, &bytes, error);
}

STACK_OF(X509) * certs_pem_read_optional_certificates(const char *path, struct error *error) {
  certs_bytes_auto bytes = {0};
  if (certs_file_read(path, true, &bytes, error) != 0) {
    return NULL;
  }
  // cert-manager: ca.crt "may be empty" where the issuer does not know its CA (ACME).
  if (bytes.len == 0) {
    error->text[0] = '\0';
    return NULL;
  }
  return certs_pem_parse_certificates(path, &bytes, error);
}

// There is nobody to ask for a passphrase: remembers that one was wanted.
static int refuse_passphrase(char *passphrase, int size, int writing, void *user) {
  (void)passphrase;
  (void)size;
  (void)writing;
  *(bool *)user = true;
  return -1;
}

EVP_PKEY *certs_pem_read_key(const char *path, struct error *error) {
  certs_bytes_auto bytes = {0};
  if (certs_file_read(path, false, &bytes, error) != 0) {
    return NULL;
  }
  return certs_pem_parse_key(path, &bytes, error);
}

EVP_PKEY *certs_pem_parse_key(const char *path, const struct certs_bytes *bytes,
                              struct error *error) {
  bio_auto *bio = BIO_new_mem_buf(bytes->len == 0 ? "" : bytes->data, (int)bytes->len);
  if (bio == NULL) {
    certs_openssl_error(error, "%s: cannot parse", path);
    return NULL;
  }
  ERR_clear_error();
  bool encrypted = false;
  EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, &encrypted);
  if (key != NULL) {
    ERR_clear_error();
    return key;
  }
  if (encrypted) {
    ERR_clear_error();
    error_set(error, "%s: the key is encrypted; wanted one without a passphrase", path);
  } else if (bytes->len == 0 || strstr(bytes->data, "PRIVATE KEY-----") == NULL) {
    ERR_clear_error();
    error_set(error, "%s: no private key in it; wanted PEM: -----BEGIN PRIVATE KEY-----", path);
  } else {
    certs_openssl_error(error, "%s: the private key in it is damaged", path);
  }
  return NULL;
}

static int copy_out(BIO *bio, struct certs_bytes *ret, struct error *error) {
  char *data = NULL;
  long len = BIO_get_mem_data(bio, &data);
  char *copy = len < 0 ? NULL : malloc((size_t)len + 1);
  if (copy == NULL) {
    return error_set(error, "no memory for PEM");
  }
  memcpy(copy, data, (size_t)len);
  copy[len] = '\0';
  *ret = (struct certs_bytes){.data = copy, .len = (size_t)len};
  return 0;
}

int certs_pem_write_certificates(const STACK_OF(X509) * stack, struct certs_bytes *ret,
                                 struct error *error) {
  bio_auto *bio = BIO_new(BIO_s_mem());
  bool good = bio != NULL;
  for (int i = 0; good && i < sk_X509_num(stack); i++) {
    good = PEM_write_bio_X509(bio, sk_X509_value(stack, i)) == 1;
  }
  return good ? copy_out(bio, ret, error)
              : certs_openssl_error(error, "cannot write a certificate as PEM");
}

int certs_pem_write_key(const EVP_PKEY *key, struct certs_bytes *ret, struct error *error) {
  // BIO_s_secmem wipes its memory when it is freed.
  bio_auto *bio = BIO_new(BIO_s_secmem());
  if (bio == NULL || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
    return certs_openssl_error(error, "cannot write a key as PEM");
  }
  return copy_out(bio, ret, error);
}
