#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certs/build.h"
#include "certs/certs.h"
#include "certs/check.h"
#include "certs/describe.h"
#include "certs/pem.h"

// Who signs. Owned.
struct authority {
  X509 *cert;
  EVP_PKEY *key;
  bool is_new;
};

static void authority_free(struct authority *authority) {
  X509_free(authority->cert);
  EVP_PKEY_free(authority->key);
  *authority = (struct authority){0};
}

#define authority_auto __attribute__((cleanup(authority_free))) struct authority

static long leaf_seconds(const struct certs_request *request) {
  return request->leaf_seconds < request->ca_seconds ? request->leaf_seconds : request->ca_seconds;
}

static bool is_there(const char *path) {
  struct stat status;
  return lstat(path, &status) == 0 || errno != ENOENT;
}

// True if what was loaded can sign the leaf that is wanted.
static bool authority_serves(const struct authority *authority,
                             const struct certs_request *request) {
  return certs_key_belongs(authority->cert, authority->key) &&
         certs_time(X509_get0_notBefore(authority->cert)) <= request->now &&
         certs_time(X509_get0_notAfter(authority->cert)) >= request->now + leaf_seconds(request);
}

// Reads the CA into *authority, which stays empty if there is none that can be used and that
// certs_issue() may replace. What it cannot have written itself it does not replace.
static int authority_load(const char *dir, const struct certs_request *request,
                          struct authority *authority, struct error *error) {
  char cert_path[PATH_MAX];
  char key_path[PATH_MAX];
  if (certs_path(cert_path, dir, CERTS_CA_FILE, error) != 0 ||
      certs_path(key_path, dir, CERTS_CA_KEY_FILE, error) != 0) {
    return -1;
  }
  if (!is_there(cert_path)) {
    return 0;
  }
  if (!is_there(key_path)) {
    return error_set(error,
                     "%s: is another issuer's, for there is no %s beside it; remove it or "
                     "take another folder",
                     cert_path, CERTS_CA_KEY_FILE);
  }
  x509_stack_auto *certs = certs_pem_read_certificates(cert_path, error);
  if (certs == NULL) {
    return -1;
  }
  authority->cert = sk_X509_shift(certs);
  authority->key = certs_pem_read_key(key_path, error);
  if (authority->key == NULL) {
    return -1;
  }
  if (X509_check_ca(authority->cert) != 1) {
    return error_set(error, "%s: not the certificate of a CA; remove it or take another folder",
                     cert_path);
  }
  if (!authority_serves(authority, request)) {
    authority_free(authority);
  }
  return 0;
}

static int authority_get(const char *dir, const struct certs_request *request,
                         struct authority *authority, struct error *error) {
  if (authority_load(dir, request, authority, error) != 0) {
    return -1;
  }
  if (authority->cert != NULL) {
    return 0;
  }
  authority->is_new = true;
  authority->key = certs_build_key(error);
  if (authority->key == NULL) {
    return -1;
  }
  authority->cert = certs_build_ca(authority->key, request->now - CERTS_BACKDATE_SECONDS,
                                   request->now + request->ca_seconds, error);
  return authority->cert == NULL ? -1 : 0;
}

static int to_pem(X509 *cert, const EVP_PKEY *key, struct certs_bytes *ret_cert,
                  struct certs_bytes *ret_key, struct error *error) {
  // The stack borrows the certificate.
  STACK_OF(X509) *one = sk_X509_new_null();
  int result;
  if (one == NULL || sk_X509_push(one, cert) == 0) {
    result = certs_openssl_error(error, "cannot write a certificate as PEM");
  } else {
    result = certs_pem_write_certificates(one, ret_cert, error);
  }
  sk_X509_free(one);
  return result == 0 ? certs_pem_write_key(key, ret_key, error) : -1;
}

static int write_files(int dir_fd, const char *dir, const struct authority *authority, X509 *leaf,
                       const EVP_PKEY *key, struct error *error) {
  certs_bytes_auto ca_pem = {0};
  certs_bytes_auto ca_key_pem = {0};
  certs_bytes_auto leaf_pem = {0};
  certs_bytes_auto key_pem = {0};
  if (to_pem(authority->cert, authority->key, &ca_pem, &ca_key_pem, error) != 0 ||
      to_pem(leaf, key, &leaf_pem, &key_pem, error) != 0) {
    return -1;
  }
  const struct certs_output outputs[] = {
      {CERTS_CA_KEY_FILE, 0600, &ca_key_pem},
      {CERTS_CA_FILE, 0644, &ca_pem},
      {CERTS_KEY_FILE, 0600, &key_pem},
      {CERTS_CHAIN_FILE, 0644, &leaf_pem},
  };
  size_t kept = authority->is_new ? 0 : 2;
  return certs_files_replace(dir_fd, dir, outputs + kept, sizeof outputs / sizeof outputs[0] - kept,
                             error);
}

static int issue_locked(int dir_fd, const char *dir, const struct certs_request *request,
                        struct error *error) {
  authority_auto authority = {0};
  if (authority_get(dir, request, &authority, error) != 0) {
    return -1;
  }
  pkey_auto *key = certs_build_key(error);
  if (key == NULL) {
    return -1;
  }
  const struct certs_leaf wanted = {
      .key = key,
      .ca = authority.cert,
      .ca_key = authority.key,
      .names = request->dns_names,
      .not_before = request->now - CERTS_BACKDATE_SECONDS,
      .not_after = request->now + leaf_seconds(request),
  };
  x509_auto *leaf = certs_build_leaf(&wanted, error);
  return leaf == NULL ? -1 : write_files(dir_fd, dir, &authority, leaf, key, error);
}

int certs_issue(const char *dir, const struct certs_request *request, struct error *error) {
  if (request->ca_seconds <= 0 || request->leaf_seconds <= 0) {
    return error_set(error,
                     "%s: a certificate must live for at least a second (CA %ld s, leaf "
                     "%ld s)",
                     dir, request->ca_seconds, request->leaf_seconds);
  }
  int dir_fd = certs_dir_lock(dir, error);
  if (dir_fd < 0) {
    return -1;
  }
  int result = issue_locked(dir_fd, dir, request, error);
  close(dir_fd);
  return result;
}
