#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certs/certs.h"
#include "certs/check.h"
#include "certs/describe.h"
#include "certs/pem.h"

struct paths {
  char chain[PATH_MAX];
  char key[PATH_MAX];
  char ca[PATH_MAX];
};

static int paths_of(struct paths *paths, const char *dir, struct error *error) {
  return certs_path(paths->chain, dir, CERTS_CHAIN_FILE, error) != 0 ||
                 certs_path(paths->key, dir, CERTS_KEY_FILE, error) != 0 ||
                 certs_path(paths->ca, dir, CERTS_CA_FILE, error) != 0
             ? -1
             : 0;
}

struct certs_pair *certs_pair_new(const struct certs_material *material, struct error *error) {
  struct certs_pair *pair = calloc(1, sizeof *pair);
  if (pair == NULL) {
    error_set(error, "%s: no memory to keep it", material->chain_path);
    return NULL;
  }
  struct certs_bytes chain = {0};
  struct certs_bytes key = {0};
  if (certs_pem_write_certificates(material->chain, &chain, error) != 0 ||
      certs_pem_write_key(material->key, &key, error) != 0) {
    certs_bytes_free(&chain);
    free(pair);
    return NULL;
  }
  pair->chain_pem = chain.data;
  pair->chain_len = chain.len;
  pair->key_pem = key.data;
  pair->key_len = key.len;
  certs_describe(sk_X509_value(material->chain, 0), pair);
  return pair;
}

static struct certs_pair *load_once(const char *dir, const struct text_list *dns_names, time_t now,
                                    struct error *error) {
  struct paths paths;
  if (paths_of(&paths, dir, error) != 0) {
    return NULL;
  }
  x509_stack_auto *chain = certs_pem_read_certificates(paths.chain, error);
  if (chain == NULL) {
    return NULL;
  }
  pkey_auto *key = certs_pem_read_key(paths.key, error);
  if (key == NULL) {
    return NULL;
  }
  x509_stack_auto *anchors = certs_pem_read_optional_certificates(paths.ca, error);
  if (anchors == NULL && error->text[0] != '\0') {
    return NULL;
  }
  struct certs_material material = {
      .chain = chain,
      .key = key,
      .anchors = anchors,
      .chain_path = paths.chain,
      .key_path = paths.key,
      .ca_path = paths.ca,
  };
  return certs_check(&material, dns_names, now, error) == 0 ? certs_pair_new(&material, error)
                                                            : NULL;
}

struct certs_pair *certs_pair_load(const char *dir, const struct text_list *dns_names, time_t now,
                                   struct error *error) {
  unsigned long long before = certs_dir_stamp(dir);
  struct certs_pair *pair = load_once(dir, dns_names, now, error);
  // Three files cannot be read in one moment: some may be from before a swap.
  if (pair == NULL && certs_dir_stamp(dir) != before) {
    pair = load_once(dir, dns_names, now, error);
  }
  return pair;
}

struct certs_pair *certs_pair_peek(const char *dir, struct error *error) {
  char path[PATH_MAX];
  if (certs_path(path, dir, CERTS_CHAIN_FILE, error) != 0) {
    return NULL;
  }
  x509_stack_auto *chain = certs_pem_read_certificates(path, error);
  if (chain == NULL) {
    return NULL;
  }
  struct certs_pair *pair = calloc(1, sizeof *pair);
  if (pair == NULL) {
    error_set(error, "%s: no memory to keep it", path);
    return NULL;
  }
  certs_describe(sk_X509_value(chain, 0), pair);
  return pair;
}

bool certs_pair_is_untimely(const char *dir, const struct text_list *dns_names, time_t now) {
  struct error ignored;
  struct certs_pair *leaf = certs_pair_peek(dir, &ignored);
  if (leaf == NULL) {
    return false;
  }
  bool is_valid = now >= leaf->not_before && now < leaf->not_after;
  struct certs_pair *pair =
      is_valid ? NULL : certs_pair_load(dir, dns_names, leaf->not_after - 1, &ignored);
  bool untimely = pair != NULL;
  certs_pair_free(pair);
  certs_pair_free(leaf);
  return untimely;
}

bool certs_dir_is_self_issued(const char *dir, const struct certs_pair *pair) {
  char path[PATH_MAX];
  struct error ignored;
  // Nobody else leaves the CA's key beside it.
  return strncmp(pair->issuer, "CN=rayfix CA ", strlen("CN=rayfix CA ")) == 0 &&
         certs_path(path, dir, CERTS_CA_KEY_FILE, &ignored) == 0 && access(path, R_OK | W_OK) == 0;
}

void certs_pair_free(struct certs_pair *pair) {
  if (pair == NULL) {
    return;
  }
  if (pair->key_pem != NULL) {
    OPENSSL_cleanse(pair->key_pem, pair->key_len);
  }
  free(pair->key_pem);
  free(pair->chain_pem);
  free(pair);
}
