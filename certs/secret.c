#include "certs/secret.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#include "certs/build.h"
#include "certs/check.h"
#include "certs/describe.h"
#include "certs/pem.h"
#include "certs/pool.h"

_Static_assert(ROTATION_BACKDATE_SECONDS == CERTS_BACKDATE_SECONDS, "one hour in both");

const char *const certs_secret_names[CERTS_SECRET_COUNT] = {
    CERTS_CHAIN_FILE, CERTS_KEY_FILE, CERTS_CA_FILE, CERTS_CA_KEY_FILE, "next-ca.key",
};

void certs_secret_free(struct certs_secret *secret) {
  for (size_t i = 0; i < CERTS_SECRET_COUNT; i++) {
    certs_bytes_free(&secret->values[i]);
  }
}

static bool is_empty(const struct certs_bytes *bytes) {
  return bytes->data == NULL || bytes->len == 0;
}

static int copy(const struct certs_bytes *from, struct certs_bytes *ret, struct error *error) {
  *ret = (struct certs_bytes){0};
  if (is_empty(from)) {
    return 0;
  }
  ret->data = malloc(from->len + 1);
  if (ret->data == NULL) {
    return error_set(error, "no memory for a certificate");
  }
  memcpy(ret->data, from->data, from->len);
  ret->data[from->len] = '\0';
  ret->len = from->len;
  return 0;
}

// ---- reading ----

// Notes the first thing that is wrong.
static void note(struct rotation_secret *secret, struct error *damage, const struct error *what) {
  if (!secret->damaged) {
    *damage = *what;
  }
  secret->damaged = true;
}

// The index in `cas` of the CA whose key it is; -1 if there is none.
static int owner_of(const struct certs_pool *pool, const struct rotation_cas *cas,
                    const EVP_PKEY *key) {
  for (size_t i = 0; i < cas->count; i++) {
    const X509 *cert = certs_pool_find(pool, &cas->items[i].id);
    if (cert != NULL && certs_key_belongs(cert, key)) {
      return (int)i;
    }
  }
  return -1;
}

static int read_signer(const struct certs_pool *pool, const struct certs_secret *secret,
                       enum certs_secret_key which, struct rotation_secret *ret,
                       struct error *damage) {
  if (is_empty(&secret->values[which])) {
    return -1;
  }
  struct error error;
  pkey_auto *key = certs_pem_parse_key(certs_secret_names[which], &secret->values[which], &error);
  if (key == NULL) {
    note(ret, damage, &error);
    return -1;
  }
  int index = owner_of(pool, &ret->cas, key);
  bool signs = index >= 0 && X509_check_ca(certs_pool_get(pool, &ret->cas.items[index].id)) == 1;
  if (!signs) {
    error_set(&error, "%s belongs to no CA in %s", certs_secret_names[which], CERTS_CA_FILE);
    note(ret, damage, &error);
  }
  return signs ? index : -1;
}

// The index of the CA that signed `leaf`.
static int issuer_of(const struct certs_pool *pool, const struct rotation_cas *cas, X509 *leaf) {
  for (size_t i = 0; i < cas->count; i++) {
    X509 *ca = certs_pool_get(pool, &cas->items[i].id);
    if (ca != NULL && X509_check_issued(ca, leaf) == X509_V_OK &&
        X509_verify(leaf, X509_get0_pubkey(ca)) == 1) {
      return (int)i;
    }
  }
  ERR_clear_error();
  return -1;
}

// Parsed; owned.
struct parsed {
  STACK_OF(X509) * chain;
  EVP_PKEY *key;
  STACK_OF(X509) * anchors;
};

static void parsed_free(struct parsed *parsed) {
  sk_X509_pop_free(parsed->chain, X509_free);
  sk_X509_pop_free(parsed->anchors, X509_free);
  EVP_PKEY_free(parsed->key);
}

#define parsed_auto __attribute__((cleanup(parsed_free))) struct parsed

static int parse(const struct certs_pool *pool, const struct certs_secret *secret,
                 const struct rotation_cas *cas, struct parsed *parsed, struct error *error) {
  parsed->chain =
      certs_pem_parse_certificates(CERTS_CHAIN_FILE, &secret->values[CERTS_SECRET_CHAIN], error);
  if (parsed->chain == NULL) {
    return -1;
  }
  parsed->key = certs_pem_parse_key(CERTS_KEY_FILE, &secret->values[CERTS_SECRET_KEY], error);
  if (parsed->key == NULL) {
    return -1;
  }
  parsed->anchors = certs_pool_stack(pool, cas);
  return parsed->anchors == NULL ? error_set(error, "no memory for certificates") : 0;
}

static int check_at(const struct parsed *parsed, const struct text_list *names, time_t now,
                    struct error *error) {
  const struct certs_material material = {
      .chain = parsed->chain,
      .key = parsed->key,
      .anchors = parsed->anchors,
      .chain_path = CERTS_CHAIN_FILE,
      .key_path = CERTS_KEY_FILE,
      .ca_path = CERTS_CA_FILE,
  };
  return certs_check(&material, names, now, error);
}

static int read_leaf(const struct certs_pool *pool, const struct certs_secret *secret,
                     const struct text_list *names, struct rotation_secret *ret,
                     struct error *error) {
  parsed_auto parsed = {0};
  if (parse(pool, secret, &ret->cas, &parsed, error) != 0) {
    return -1;
  }
  X509 *leaf = sk_X509_value(parsed.chain, 0);
  ret->leaf.not_before = certs_time(X509_get0_notBefore(leaf));
  ret->leaf.not_after = certs_time(X509_get0_notAfter(leaf));
  ret->leaf.id = certs_id_of(leaf);
  // At its last second: what it is good for apart from the time. Its CA ends no sooner.
  if (check_at(&parsed, names, ret->leaf.not_after - 1, error) != 0) {
    return -1;
  }
  int issuer = issuer_of(pool, &ret->cas, leaf);
  if (issuer < 0) {
    return error_set(error, "%s is signed by no CA in %s", CERTS_CHAIN_FILE, CERTS_CA_FILE);
  }
  ret->leaf.ca = ret->cas.items[issuer].id;
  ret->leaf.usable = true;
  return 0;
}

int certs_secret_read(struct certs_pool *pool, const struct certs_secret *secret,
                      const struct text_list *names, struct rotation_secret *ret,
                      struct error *ret_damage) {
  enum rotation_found found = ret->found;
  *ret = (struct rotation_secret){
      .found = found, .signer = -1, .next = -1, .retire_after = secret->retire_after};
  ret_damage->text[0] = '\0';
  struct error error;
  const struct certs_bytes *bundle = &secret->values[CERTS_SECRET_CA];
  bool intact = true;
  if (certs_pool_read(pool, (struct text){bundle->data, bundle->len}, &ret->cas, &intact) != 0) {
    return error_set(ret_damage, "no memory for certificates");
  }
  if (!intact || ret->cas.count == 0) {
    error_set(&error, "%s: %s", CERTS_CA_FILE,
              ret->cas.count == 0 ? "no certificate in it" : "not all of it can be read");
    note(ret, ret_damage, &error);
  }
  ret->signer = read_signer(pool, secret, CERTS_SECRET_CA_KEY, ret, ret_damage);
  ret->next = read_signer(pool, secret, CERTS_SECRET_NEXT_KEY, ret, ret_damage);
  if (ret->signer >= 0 && ret->next == ret->signer) {
    ret->next = -1;
  }
  if (ret->signer < 0 && ret->next < 0) {
    error_set(&error, "no %s to sign with", CERTS_CA_KEY_FILE);
    note(ret, ret_damage, &error);
  }
  bool waits = ret->next >= 0 && is_empty(&secret->values[CERTS_SECRET_CHAIN]) &&
               is_empty(&secret->values[CERTS_SECRET_KEY]);
  if (!waits && read_leaf(pool, secret, names, ret, &error) != 0) {
    note(ret, ret_damage, &error);
  }
  return 0;
}

// ---- writing ----

static int make_ca(struct certs_pool *pool, const struct certs_change *change,
                   struct rotation_cas *cas, struct certs_bytes *ret_key, struct error *error) {
  pkey_auto *key = certs_build_key(error);
  if (key == NULL) {
    return -1;
  }
  time_t not_before = (time_t)(change->now / 1000) - CERTS_BACKDATE_SECONDS;
  x509_auto *cert = certs_build_ca(key, not_before,
                                   rotation_end(change->now, change->policy->ca_seconds, 0), error);
  if (cert == NULL || certs_pem_write_key(key, ret_key, error) != 0) {
    return -1;
  }
  struct rotation_ca ca;
  if (certs_pool_add(pool, cert, &ca) != 0) {
    return error_set(error, "no memory for a CA");
  }
  rotation_add(cas, &ca);
  return 0;
}

static int choose_key(const struct certs_change *change, enum rotation_key wanted,
                      enum certs_secret_key kept, bool is_good, const struct certs_bytes *made,
                      struct certs_bytes *ret, struct error *error) {
  static const struct certs_bytes nothing;
  const struct certs_bytes *from = &nothing;
  if (wanted == ROTATION_KEY_NEW) {
    from = made;
  } else if (wanted == ROTATION_KEY_NEXT && change->secret != NULL) {
    from = &change->secret->values[CERTS_SECRET_NEXT_KEY];
  } else if (wanted == ROTATION_KEY_KEEP && change->secret != NULL && is_good) {
    from = &change->secret->values[kept];
  }
  return copy(from, ret, error);
}

static int write_pair(X509 *leaf, const EVP_PKEY *key, struct certs_secret *ret,
                      struct error *error) {
  STACK_OF(X509) *one = sk_X509_new_null();  // borrows the certificate
  int result = -1;
  if (one == NULL || sk_X509_push(one, leaf) == 0) {
    error_set(error, "no memory for a certificate");
  } else {
    result = certs_pem_write_certificates(one, &ret->values[CERTS_SECRET_CHAIN], error);
  }
  sk_X509_free(one);
  return result == 0 ? certs_pem_write_key(key, &ret->values[CERTS_SECRET_KEY], error) : -1;
}

// Signs with what is ca.key in *ret already.
static int make_leaf(const struct certs_pool *pool, const struct certs_change *change,
                     const struct rotation_cas *cas, struct certs_secret *ret,
                     struct error *error) {
  pkey_auto *ca_key =
      certs_pem_parse_key(CERTS_CA_KEY_FILE, &ret->values[CERTS_SECRET_CA_KEY], error);
  if (ca_key == NULL) {
    return -1;
  }
  int index = owner_of(pool, cas, ca_key);
  if (index < 0) {
    return error_set(error, "%s belongs to no CA in %s", CERTS_CA_KEY_FILE, CERTS_CA_FILE);
  }
  pkey_auto *key = certs_build_key(error);
  if (key == NULL) {
    return -1;
  }
  const struct certs_leaf wanted = {
      .key = key,
      .ca = certs_pool_get(pool, &cas->items[index].id),
      .ca_key = ca_key,
      .names = change->names,
      .not_before = (time_t)(change->now / 1000) - CERTS_BACKDATE_SECONDS,
      .not_after =
          rotation_end(change->now, change->policy->leaf_seconds, cas->items[index].not_after),
  };
  x509_auto *leaf = certs_build_leaf(&wanted, error);
  return leaf == NULL ? -1 : write_pair(leaf, key, ret, error);
}

static int put_leaf(const struct certs_pool *pool, const struct certs_change *change,
                    const struct rotation_cas *cas, struct certs_secret *ret, struct error *error) {
  const struct certs_secret *from = NULL;
  switch (change->write->leaf) {
    case ROTATION_LEAF_NEW:
      return make_leaf(pool, change, cas, ret, error);
    case ROTATION_LEAF_SERVED:
      from = &change->served->pem;
      break;
    case ROTATION_LEAF_KEEP:
      from = change->read->leaf.usable ? change->secret : NULL;
      break;
    case ROTATION_LEAF_NONE:
      break;
  }
  if (from == NULL) {
    return 0;
  }
  return copy(&from->values[CERTS_SECRET_CHAIN], &ret->values[CERTS_SECRET_CHAIN], error) != 0 ||
                 copy(&from->values[CERTS_SECRET_KEY], &ret->values[CERTS_SECRET_KEY], error) != 0
             ? -1
             : 0;
}

static int fill(struct certs_pool *pool, const struct certs_change *change,
                struct certs_secret *ret, struct error *error) {
  const struct rotation_write *write = change->write;
  certs_bytes_auto made = {0};
  struct rotation_cas cas = {.count = 0};
  if (write->make_ca && make_ca(pool, change, &cas, &made, error) != 0) {
    return -1;
  }
  for (size_t i = 0; i < write->keep.count; i++) {
    if (!rotation_add(&cas, &write->keep.items[i])) {
      return error_set(error, "more than %d CAs", ROTATION_CAS_MAX);
    }
  }
  if (certs_pool_write(pool, &cas, &ret->values[CERTS_SECRET_CA], error) != 0 ||
      choose_key(change, write->signer, CERTS_SECRET_CA_KEY, change->read->signer >= 0, &made,
                 &ret->values[CERTS_SECRET_CA_KEY], error) != 0 ||
      choose_key(change, write->next, CERTS_SECRET_NEXT_KEY, change->read->next >= 0, &made,
                 &ret->values[CERTS_SECRET_NEXT_KEY], error) != 0) {
    return -1;
  }
  ret->retire_after = write->retire_after;
  return put_leaf(pool, change, &cas, ret, error);
}

int certs_secret_change(struct certs_pool *pool, const struct certs_change *change,
                        struct certs_secret *ret, struct error *error) {
  *ret = (struct certs_secret){.retire_after = 0};
  if (fill(pool, change, ret, error) != 0) {
    certs_secret_free(ret);
    return -1;
  }
  return 0;
}

// ---- serving ----

static int remember(const struct certs_pool *pool, const struct certs_secret *secret,
                    const struct rotation_secret *read, struct certs_served *ret,
                    struct error *error) {
  struct rotation_cas one = {.count = 0};
  const struct rotation_ca *ca = rotation_find(&read->cas, &read->leaf.ca);
  if (ca == NULL) {
    return error_set(error, "%s is signed by no CA in %s", CERTS_CHAIN_FILE, CERTS_CA_FILE);
  }
  rotation_add(&one, ca);
  *ret = (struct certs_served){.rotation = {.leaf = read->leaf, .ca = *ca}};
  if (copy(&secret->values[CERTS_SECRET_CHAIN], &ret->pem.values[CERTS_SECRET_CHAIN], error) != 0 ||
      copy(&secret->values[CERTS_SECRET_KEY], &ret->pem.values[CERTS_SECRET_KEY], error) != 0 ||
      certs_pool_write(pool, &one, &ret->pem.values[CERTS_SECRET_CA], error) != 0) {
    certs_secret_free(&ret->pem);
    return -1;
  }
  return 0;
}

struct certs_pair *certs_secret_pair(const struct certs_pool *pool,
                                     const struct certs_secret *secret,
                                     const struct rotation_secret *read,
                                     const struct text_list *names, time_t now,
                                     struct certs_served *ret_served, struct error *error) {
  parsed_auto parsed = {0};
  *ret_served = (struct certs_served){0};
  if (parse(pool, secret, &read->cas, &parsed, error) != 0 ||
      check_at(&parsed, names, now, error) != 0 ||
      remember(pool, secret, read, ret_served, error) != 0) {
    return NULL;
  }
  const struct certs_material material = {.chain = parsed.chain,
                                          .key = parsed.key,
                                          .anchors = parsed.anchors,
                                          .chain_path = CERTS_CHAIN_FILE,
                                          .key_path = CERTS_KEY_FILE,
                                          .ca_path = CERTS_CA_FILE};
  struct certs_pair *pair = certs_pair_new(&material, error);
  if (pair == NULL) {
    certs_secret_free(&ret_served->pem);
    *ret_served = (struct certs_served){0};
  }
  return pair;
}
