#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "admission/error.h"
#include "admission/text.h"

// Serving certificates: issue, load, check. Files are named as cert-manager and kubebuilder mount
// them. Nothing here keeps state; who serves decides when to load and what to swap.

#define CERTS_CHAIN_FILE "tls.crt"
#define CERTS_KEY_FILE "tls.key"
#define CERTS_CA_FILE "ca.crt"
#define CERTS_CA_KEY_FILE "ca.key"  // only where certs_issue() made the CA

// No file may be larger. Kubernetes refuses a Secret above 1 MiB (MaxSecretSize in
// k8s.io/api/core/v1), so no mounted file can be, and a chain of three is about 4 kB.
#define CERTS_FILE_MAX (1024 * 1024)

// A certificate chain with its key that has passed every check: the key belongs to the leaf, the
// chain links up (to ca.crt where there is one), it is valid now, and good for every wanted name.
// Immutable. Free with certs_pair_free(), which wipes the key.
struct certs_pair {
  char *chain_pem;  // leaf first, NUL-terminated
  size_t chain_len;
  char *key_pem;
  size_t key_len;
  time_t not_before;
  time_t not_after;
  char subject[256];
  char issuer[256];
  char serial[64];
  char fingerprint[65];  // SHA-256 of the leaf, hex
  char names[1024];      // DNS names and addresses, separated by ", "
};

// Loads and checks `dir`/tls.crt and tls.key (and ca.crt if it exists and is not empty) at time
// `now`. `dns_names` may hold addresses and may be NULL or empty. Without ca.crt the last
// certificate of the chain is trusted, so that each must be signed by another one of the chain.
// If the files are replaced while they are read they are read once more.
// Returns NULL with a reason a person understands, which names the file.
struct certs_pair *certs_pair_load(const char *dir, const struct text_list *dns_names, time_t now,
                                   struct error *error);

// Describes the leaf in `dir`/tls.crt without any check, for showing it: chain_pem and key_pem stay
// NULL. Returns NULL with a reason if there is no certificate in it. Free as above.
struct certs_pair *certs_pair_peek(const char *dir, struct error *error);

// True if the files would load but for the time: the leaf is not valid yet, or not any more.
bool certs_pair_is_untimely(const char *dir, const struct text_list *dns_names, time_t now);

// True if certs_issue() has made `pair`, which was loaded from `dir`, and can make another one.
bool certs_dir_is_self_issued(const char *dir, const struct certs_pair *pair);

// NULL is fine.
void certs_pair_free(struct certs_pair *pair);

// 0 if tls.crt and tls.key (and ca.crt if it exists) can be read, or -1 with what prevents it;
// nothing is said about what is in them.
int certs_dir_check_readable(const char *dir, struct error *error);

// True if `name` may stand in a certificate: a DNS name (also "*.example.com") or an IP address.
bool certs_name_is_valid(struct text name);

// What to issue. ECDSA P-256 throughout; back-dated by an hour so that a clock that is behind
// does not refuse it (protocol §5).
struct certs_request {
  const struct text_list *dns_names;  // SANs besides localhost, 127.0.0.1 and ::1; may be NULL
  time_t now;
  long ca_seconds;    // lifetime of the CA, e.g. ten years
  long leaf_seconds;  // lifetime of the leaf, e.g. one year
};

// Issues a CA and a leaf into `dir` (made if missing, 0700): ca.crt, ca.key, tls.crt, tls.key
// (0600), each written beside and renamed, key before certificate. If ca.crt and ca.key are there,
// match and outlive the leaf, the leaf is signed by that CA and the CA stays. A leaf never outlives
// its CA: it is cut to ca_seconds. What this function cannot have written is not overwritten: a
// ca.crt without ca.key, or one of them damaged, encrypted or no CA is an error. Blocks while
// another process issues into the same folder.
int certs_issue(const char *dir, const struct certs_request *request, struct error *error);

// True if `dir` holds neither tls.crt nor tls.key, or does not exist. A link that leads nowhere
// counts as held, and so does a file in a folder that may not be searched.
bool certs_dir_is_empty(const char *dir);

// A number that changes when one of the three files is replaced (also by a ConfigMap or Secret
// symlink swap) or rewritten: from device, inode, size, mtime and ctime. 0 when none can be read.
unsigned long long certs_dir_stamp(const char *dir);

// "2026-01-31T12:00:00Z", for messages.
struct certs_date {
  char text[32];
};
struct certs_date certs_date(time_t time);
