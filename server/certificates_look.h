#pragma once

#include <stdint.h>

#include "admission/arena.h"
#include "certs/rotation.h"
#include "certs/secret.h"
#include "cluster/certificate_store.h"
#include "server/certificates_report.h"
#include "server/settings.h"

// One look at everything: read, plan, do, until there is nothing left to do now. The inside of
// server/certificates.h.

#define LOOK_CONFIGURATIONS 2  // mutating and validating

struct look {
  struct cluster *cluster;  // borrowed
  struct report report;

  // Taken from the settings at each look; texts live in the arena.
  struct arena *arena;
  struct store_place place;
  const char *webhooks_name;
  struct text_list names;      // SANs
  struct text client_ca_file;  // tls.clientCAFile
  unsigned long long client_ca_stamp;

  // What was read.
  struct rotation_view view;
  struct certs_pool *pool;
  struct store_secret secret;
  struct store_webhooks webhooks[LOOK_CONFIGURATIONS];
  struct error damage;
  struct error refusal;   // why the leaf was not taken; "" if it was
  struct error obstacle;  // why the Secret could not be written at this look; "" if it could

  // Which webhook a bundle of the view belongs to.
  struct look_bundle {
    size_t configuration;
    size_t index;
    char name[256];
    struct rotation_cas in_sync;  // what it held when it was last as it should be
  } bundles[ROTATION_BUNDLES_MAX];

  struct certs_served served;
  unsigned failures;  // looks in a row that failed
  bool reached;       // the API server answered at the last look
  bool incomplete;    // something could not be done that should be tried again soon
  bool troubled[LOOK_CONFIGURATIONS];  // could not be read or written
  int64_t writes_left;
  int64_t writes_refilled;
};

// 0, or -1 when memory is short. `jitter`: see rotation_policy.
int look_init(struct look *look, struct cluster *cluster, unsigned jitter, struct error *error);

// Wipes and frees.
void look_free(struct look *look);

// Copies what it needs; false when memory is short.
bool look_take_settings(struct look *look, const struct settings *settings);

// Returns after how many milliseconds to look again, unless something is seen before.
int64_t look_at_all(struct look *look);
