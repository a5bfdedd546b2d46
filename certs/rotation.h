#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

// Which step comes next in the life of the serving certificate and its CA, so that no moment fails
// (protocol §5). Pure: it knows certificates only by their fingerprints and is told the time, so
// that whole lifetimes can be simulated. Who carries the steps out is in server/certificates.h.
//
// The truth is one Secret. Replicas never talk to each other: whoever finds that something is due
// writes the Secret, and the API server's resourceVersion lets one of them win. All of them follow
// what is in the Secret, and keep the bundles in the webhook configurations equal to its ca.crt.
//
//   no Secret        -> write CA and leaf                      (nobody is served yet)
//   CA is due        -> write a next CA, also into ca.crt
//   bundle differs   -> publish ca.crt
//   next has settled -> write a leaf signed by next; next becomes the CA, the old one stays trusted
//   leaf is due      -> write a new leaf
//   leaf is new      -> serve it, at once if it is of the same CA, else once that has settled
//   old leaves are over -> write ca.crt without the old CA, publish it
//
// The order of reading matters: bundles first, then the Secret. A bundle is only written if it is
// still the one that was read, so that a slow replica cannot publish what is no longer true.

// More are not kept; in ordinary life there are one or two.
#define ROTATION_CAS_MAX 16

// Webhooks in both configurations together.
#define ROTATION_BUNDLES_MAX 16

// SHA-256 of a certificate.
struct rotation_id {
  unsigned char bytes[32];
};

struct rotation_ca {
  struct rotation_id id;
  time_t not_before;
  time_t not_after;
};

struct rotation_cas {
  struct rotation_ca items[ROTATION_CAS_MAX];
  size_t count;
};

struct rotation_leaf {
  bool usable;  // there, with its key, good for the names, signed by a known CA; dates aside
  struct rotation_id id;
  struct rotation_id ca;
  time_t not_before;
  time_t not_after;
};

enum rotation_found {
  ROTATION_ABSENT,
  ROTATION_OURS,
  ROTATION_FOREIGN,  // without our label: it is somebody else's and is not touched
};

// What the Secret holds.
struct rotation_secret {
  enum rotation_found found;
  bool damaged;             // something in it cannot be read or does not fit together
  struct rotation_cas cas;  // ca.crt
  int signer;               // index in `cas` of the CA whose key is ca.key; -1 if there is none
  int next;                 // the same for next-ca.key
  struct rotation_leaf leaf;
  time_t retire_after;  // the last leaf of the CAs that no longer sign has expired then; 0: unset
};

// The CAs that one webhook makes the API server trust, and since when each is known to be in it.
struct rotation_bundle {
  struct rotation_cas cas;
  int64_t since[ROTATION_CAS_MAX];  // on the monotonic clock
  bool initial[ROTATION_CAS_MAX];   // there when we first looked
  int64_t stray[ROTATION_CAS_MAX];  // since when it is known not to be in the Secret; -1: it is
  bool looked;                      // at least once
  bool intact;                      // nothing else is in it
  bool locked;                      // we could not write it
};

// Takes over what was read now; what was there before keeps its time.
void rotation_see(struct rotation_bundle *bundle, const struct rotation_cas *cas, bool intact,
                  int64_t monotonic);

// What this replica shows in handshakes.
struct rotation_served {
  struct rotation_leaf leaf;  // not usable: nothing
  struct rotation_ca ca;      // that signed it
};

// Milliseconds, but for the lifetimes.
struct rotation_policy {
  int64_t ca_seconds;
  int64_t leaf_seconds;
  int64_t ca_lead;    // renewed so long before the end; 0: a third of its life
  int64_t leaf_lead;  // the same
  int64_t settle;     // from reading a bundle back until every API server uses it
  int64_t resync;     // the longest wait
  unsigned jitter;    // per mille of a tenth of the lead, by which this replica is earlier
};

// Certificates begin so long ago, and clocks may differ by as much.
#define ROTATION_BACKDATE_SECONDS 3600

struct rotation_view {
  struct rotation_policy policy;
  struct rotation_secret secret;
  struct rotation_bundle bundles[ROTATION_BUNDLES_MAX];
  size_t bundle_count;
  bool unseen;  // a webhook configuration may not be read: what it trusts is not known
  struct rotation_served served;
  bool read_only;     // the Secret could not be written
  int64_t now;        // wall clock, milliseconds since 1970
  int64_t monotonic;  // milliseconds
};

// To be called when all has been read.
void rotation_note_strays(struct rotation_view *view);

enum rotation_step {
  ROTATION_WAIT,
  ROTATION_REFUSE,   // the Secret is foreign; look again later
  ROTATION_WRITE,    // create or update the Secret, see rotation_write
  ROTATION_PUBLISH,  // write the bundles that `publishes` names
  ROTATION_ADOPT,    // serve the Secret's leaf
};

enum rotation_reason {
  ROTATION_NOTHING,
  ROTATION_CREATED,     // the first CA and leaf
  ROTATION_RESTORED,    // the Secret was gone; the leaf that is served is in it again
  ROTATION_REPLACED,    // what was in it could not be used, or had expired
  ROTATION_RENEWED,     // a new leaf of the same CA
  ROTATION_CA_STARTED,  // a next CA
  ROTATION_CA_CHANGED,  // a leaf of the next CA, which is the CA now
  ROTATION_CA_KEPT,     // the CA of the leaf that is served was missing in ca.crt
  ROTATION_CA_DROPPED,
};

enum rotation_key { ROTATION_KEY_KEEP, ROTATION_KEY_NONE, ROTATION_KEY_NEW, ROTATION_KEY_NEXT };
enum rotation_put {
  ROTATION_LEAF_KEEP,
  ROTATION_LEAF_NONE,
  ROTATION_LEAF_NEW,     // signed by what is ca.key afterwards
  ROTATION_LEAF_SERVED,  // the one that this replica serves
};

// What the Secret is to hold afterwards.
struct rotation_write {
  bool create;   // it was absent; else only if it has not changed since it was read
  bool make_ca;  // a new CA, first in ca.crt
  struct rotation_cas
      keep;  // the rest of ca.crt; known from the Secret, a bundle or what is served
  enum rotation_key signer;  // ca.key
  enum rotation_key next;    // next-ca.key; never ROTATION_KEY_NEXT
  enum rotation_put leaf;
  time_t retire_after;
};

struct rotation_plan {
  enum rotation_step step;
  enum rotation_reason reason;
  struct rotation_write write;
  bool publishes[ROTATION_BUNDLES_MAX];
  struct rotation_cas bundles[ROTATION_BUNDLES_MAX];  // what each is to hold
  int64_t wait;  // ROTATION_WAIT and ROTATION_REFUSE: milliseconds until the next look
};

// The next step. After every step but the two that wait, look and plan again.
void rotation_plan(const struct rotation_view *view, struct rotation_plan *ret_plan);

// NULL if it is not there.
const struct rotation_ca *rotation_find(const struct rotation_cas *cas,
                                        const struct rotation_id *id);

bool rotation_same(const struct rotation_id *a, const struct rotation_id *b);

// Adds a CA unless it is there; false if there is no room.
bool rotation_add(struct rotation_cas *cas, const struct rotation_ca *ca);

// When a certificate of such a life is due, in milliseconds since 1970.
int64_t rotation_due(time_t not_before, time_t not_after, int64_t lead, unsigned jitter);

// When a certificate that is made now ends, in seconds: rounded up, since a fraction of a second
// would be lost otherwise, and not after `limit` (0: none).
time_t rotation_end(int64_t now, int64_t seconds, time_t limit);

// "certificate renewed", for logs and Events; and its CamelCase form for an Event's reason.
const char *rotation_reason_text(enum rotation_reason reason);
const char *rotation_reason_name(enum rotation_reason reason);
