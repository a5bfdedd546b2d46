#include "certs/pool.h"

#include <stdlib.h>
#include <string.h>

#include "certs/describe.h"
#include "certs/pem.h"

struct certs_pool {
  STACK_OF(X509) * certs;
};

struct certs_pool *certs_pool_new(void) {
  struct certs_pool *pool = calloc(1, sizeof *pool);
  if (pool == NULL) {
    return NULL;
  }
  pool->certs = sk_X509_new_null();
  if (pool->certs == NULL) {
    free(pool);
    return NULL;
  }
  return pool;
}

void certs_pool_free(struct certs_pool *pool) {
  if (pool != NULL) {
    sk_X509_pop_free(pool->certs, X509_free);
    free(pool);
  }
}

struct rotation_id certs_id_of(const X509 *cert) {
  struct rotation_id id = {{0}};
  unsigned len = 0;
  unsigned char digest[EVP_MAX_MD_SIZE];
  if (X509_digest(cert, EVP_sha256(), digest, &len) == 1 && len == sizeof id.bytes) {
    memcpy(id.bytes, digest, sizeof id.bytes);
  }
  return id;
}

X509 *certs_pool_get(const struct certs_pool *pool, const struct rotation_id *id) {
  for (int i = 0; i < sk_X509_num(pool->certs); i++) {
    X509 *cert = sk_X509_value(pool->certs, i);
    struct rotation_id here = certs_id_of(cert);
    if (rotation_same(&here, id)) {
      return cert;
    }
  }
  return NULL;
}

const X509 *certs_pool_find(const struct certs_pool *pool, const struct rotation_id *id) {
  return certs_pool_get(pool, id);
}

int certs_pool_add(struct certs_pool *pool, X509 *cert, struct rotation_ca *ret_ca) {
  *ret_ca = (struct rotation_ca){
      .id = certs_id_of(cert),
      .not_before = certs_time(X509_get0_notBefore(cert)),
      .not_after = certs_time(X509_get0_notAfter(cert)),
  };
  if (certs_pool_get(pool, &ret_ca->id) != NULL) {
    return 0;
  }
  if (X509_up_ref(cert) != 1) {
    return -1;
  }
  if (sk_X509_push(pool->certs, cert) == 0) {
    X509_free(cert);
    return -1;
  }
  return 0;
}

int certs_pool_read(struct certs_pool *pool, struct text pem, struct rotation_cas *ret_cas,
                    bool *ret_intact) {
  ret_cas->count = 0;
  *ret_intact = true;
  if (pem.len == 0) {
    return 0;
  }
  if (pem.len > CERTS_FILE_MAX) {
    *ret_intact = false;
    return 0;
  }
  x509_stack_auto *stack = certs_pem_salvage_certificates(pem, ret_intact);
  if (stack == NULL) {
    return -1;
  }
  for (int i = 0; i < sk_X509_num(stack); i++) {
    struct rotation_ca ca;
    if (certs_pool_add(pool, sk_X509_value(stack, i), &ca) != 0) {
      return -1;
    }
    if (!rotation_add(ret_cas, &ca)) {
      *ret_intact = false;
    }
  }
  return 0;
}

STACK_OF(X509) * certs_pool_stack(const struct certs_pool *pool, const struct rotation_cas *cas) {
  x509_stack_auto *stack = sk_X509_new_null();
  for (size_t i = 0; stack != NULL && i < cas->count; i++) {
    X509 *cert = certs_pool_get(pool, &cas->items[i].id);
    if (cert == NULL) {
      continue;
    }
    if (X509_up_ref(cert) != 1) {
      return NULL;
    }
    if (sk_X509_push(stack, cert) == 0) {
      X509_free(cert);
      return NULL;
    }
  }
  STACK_OF(X509) *result = stack;
  stack = NULL;
  return result;
}

int certs_pool_write(const struct certs_pool *pool, const struct rotation_cas *cas,
                     struct certs_bytes *ret_pem, struct error *error) {
  x509_stack_auto *stack = certs_pool_stack(pool, cas);
  if (stack == NULL) {
    return error_set(error, "no memory for certificates");
  }
  if ((size_t)sk_X509_num(stack) != cas->count) {
    return error_set(error, "a CA is not known any more");
  }
  return certs_pem_write_certificates(stack, ret_pem, error);
}
