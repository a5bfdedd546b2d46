// What the API server has: the Secret and every caBundle.

#include <stdio.h>
#include <string.h>

#include "server/certificates_parts.h"

const struct resource *look_resource(size_t configuration) {
  return configuration == 0 ? &resource_mutating_webhooks : &resource_validating_webhooks;
}

enum report_subject look_subject(size_t configuration) {
  return configuration == 0 ? REPORT_MUTATING : REPORT_VALIDATING;
}

static int read_webhooks(struct look *look, size_t configuration, struct fault *fault) {
  struct store_webhooks *webhooks = &look->webhooks[configuration];
  store_webhooks_free(webhooks);
  const struct resource *resource = look_resource(configuration);
  if (store_webhooks_read(look->cluster, resource, look->webhooks_name, LOOK_BUDGET_MILLISECONDS,
                          webhooks, fault) == 0) {
    return 0;
  }
  if (fault->kind != FAULT_FORBIDDEN) {
    return -1;
  }
  report_fault(&look->report, look_subject(configuration), "reading caBundle", fault);
  look->view.unseen = true;
  look->troubled[configuration] = true;
  look->incomplete = true;
  return 0;
}

// The bundle of that webhook in the view before, whose times are to be kept.
static size_t bundle_before(const struct look_bundle *before, size_t count, size_t configuration,
                            const char *name) {
  size_t i = 0;
  while (i < count &&
         (before[i].configuration != configuration || strcmp(before[i].name, name) != 0)) {
    i++;
  }
  return i;
}

static int note_bundles(struct look *look, struct fault *fault) {
  static struct rotation_bundle views[ROTATION_BUNDLES_MAX];  // one thread only
  static struct look_bundle before[ROTATION_BUNDLES_MAX];
  struct rotation_view *view = &look->view;
  size_t count = view->bundle_count;
  memcpy(views, view->bundles, count * sizeof views[0]);
  memcpy(before, look->bundles, count * sizeof before[0]);
  view->bundle_count = 0;
  for (size_t c = 0; c < LOOK_CONFIGURATIONS; c++) {
    const struct store_webhooks *webhooks = &look->webhooks[c];
    for (size_t i = 0; i < webhooks->count && view->bundle_count < ROTATION_BUNDLES_MAX; i++) {
      size_t at = view->bundle_count++;
      size_t old = bundle_before(before, count, c, webhooks->bundles[i].name);
      view->bundles[at] = old < count ? views[old] : (struct rotation_bundle){.looked = false};
      look->bundles[at] = old < count ? before[old] : (struct look_bundle){.configuration = c};
      look->bundles[at].index = i;
      snprintf(look->bundles[at].name, sizeof look->bundles[at].name, "%s",
               webhooks->bundles[i].name);
      struct rotation_cas cas;
      bool intact;
      const struct text pem = {webhooks->bundles[i].pem, webhooks->bundles[i].len};
      if (certs_pool_read(look->pool, pem, &cas, &intact) != 0) {
        fault->kind = FAULT_MEMORY;
        return error_set(&fault->error, "out of memory");
      }
      rotation_see(&view->bundles[at], &cas, intact && !webhooks->bundles[i].undecoded,
                   view->monotonic);
    }
  }
  return 0;
}

// The bytes stay those of the store.
struct certs_secret look_borrow(const struct store_secret *secret) {
  struct certs_secret borrowed = {.retire_after = secret->retire_after};
  for (size_t i = 0; i < CERTS_SECRET_COUNT; i++) {
    borrowed.values[i] = (struct certs_bytes){secret->values[i].data, secret->values[i].len};
  }
  return borrowed;
}

// A Secret that was copied from another cluster: its CA may sign for that one, not for this.
static void distrust_other_cluster(struct look *look) {
  const char *uid = cluster_identity(look->cluster);
  const char *written = look->secret.cluster_uid;
  if (uid[0] == '\0' || written[0] == '\0' || strcmp(uid, written) == 0) {
    return;
  }
  look->view.secret.signer = -1;
  look->view.secret.next = -1;
  look->view.secret.damaged = true;
  error_set(&look->damage, "it was made for the cluster %s, this is %s", written, uid);
}

// True with a reason if the leaf is good but for the time.
bool look_is_out_of_time(const struct look *look, struct error *reason) {
  const struct rotation_leaf *leaf = &look->view.secret.leaf;
  struct certs_date now = certs_date((time_t)(look->view.now / 1000));
  if (leaf->usable && look->view.now < (int64_t)leaf->not_before * 1000) {
    error_set(reason, "not valid before %s; it is %s now", certs_date(leaf->not_before).text,
              now.text);
    return true;
  }
  if (leaf->usable && look->view.now >= (int64_t)leaf->not_after * 1000) {
    error_set(reason, "expired on %s; it is %s now", certs_date(leaf->not_after).text, now.text);
    return true;
  }
  return false;
}

static int note_secret(struct look *look, struct fault *fault) {
  struct rotation_secret *secret = &look->view.secret;
  *secret = (struct rotation_secret){.found = ROTATION_ABSENT, .signer = -1, .next = -1};
  look->damage.text[0] = '\0';
  if (!look->secret.found) {
    return 0;
  }
  secret->found = look->secret.ours ? ROTATION_OURS : ROTATION_FOREIGN;
  const struct certs_secret borrowed = look_borrow(&look->secret);
  if (certs_secret_read(look->pool, &borrowed, &look->names, secret, &look->damage) != 0) {
    fault->kind = FAULT_MEMORY;
    fault->error = look->damage;
    return -1;
  }
  if (look->secret.undecoded) {
    secret->damaged = true;
  }
  distrust_other_cluster(look);
  return 0;
}

static int fill_pool(struct look *look, struct fault *fault) {
  struct certs_pool *pool = certs_pool_new();
  struct rotation_cas ignored;
  bool intact;
  const struct certs_bytes *served = &look->served.pem.values[CERTS_SECRET_CA];
  if (pool == NULL ||
      certs_pool_read(pool, (struct text){served->data, served->len}, &ignored, &intact) != 0) {
    certs_pool_free(pool);
    fault->kind = FAULT_MEMORY;
    return error_set(&fault->error, "out of memory");
  }
  certs_pool_free(look->pool);
  look->pool = pool;
  return 0;
}

// Why the certificate will be replaced, if there is nothing worse.
static void note_time(struct look *look) {
  struct error reason;
  if (look->damage.text[0] == '\0' && look_is_out_of_time(look, &reason)) {
    error_set(&look->damage, "%s: %s", certs_secret_names[CERTS_SECRET_CHAIN], reason.text);
  }
}

// Bundles first, then the Secret: see certs/rotation.h.
int look_read(struct look *look, struct fault *fault) {
  look->view.unseen = false;
  for (size_t i = 0; i < LOOK_CONFIGURATIONS; i++) {
    if (read_webhooks(look, i, fault) != 0) {
      return -1;
    }
  }
  look_take_time(look);
  store_secret_free(&look->secret);
  if (fill_pool(look, fault) != 0 || note_bundles(look, fault) != 0 ||
      store_secret_read(look->cluster, &look->place, LOOK_BUDGET_MILLISECONDS, &look->secret,
                        fault) != 0 ||
      note_secret(look, fault) != 0) {
    return -1;
  }
  look_take_time(look);
  note_time(look);
  rotation_note_strays(&look->view);
  look->view.served = look->served.rotation;
  report_solved(&look->report, REPORT_API);
  return 0;
}
