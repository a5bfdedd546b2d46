#include "certs/rotation.h"

#include <string.h>

// A certificate that begins later than this is from a clock that was far off, and is replaced; one
// that begins a little later is waited for.
#define FUTURE_MAX_MILLISECONDS (24 * 3600 * 1000LL)

static int64_t milliseconds(time_t seconds) {
  return (int64_t)seconds * 1000;
}

static time_t later(time_t a, time_t b) {
  return a > b ? a : b;
}

static int64_t sooner(int64_t a, int64_t b) {
  return a < b ? a : b;
}

bool rotation_same(const struct rotation_id *a, const struct rotation_id *b) {
  return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static int index_of(const struct rotation_cas *cas, const struct rotation_id *id) {
  for (size_t i = 0; i < cas->count; i++) {
    if (rotation_same(&cas->items[i].id, id)) {
      return (int)i;
    }
  }
  return -1;
}

const struct rotation_ca *rotation_find(const struct rotation_cas *cas,
                                        const struct rotation_id *id) {
  int index = index_of(cas, id);
  return index < 0 ? NULL : &cas->items[index];
}

bool rotation_add(struct rotation_cas *cas, const struct rotation_ca *ca) {
  if (rotation_find(cas, &ca->id) != NULL) {
    return true;
  }
  if (cas->count == ROTATION_CAS_MAX) {
    return false;
  }
  cas->items[cas->count++] = *ca;
  return true;
}

void rotation_see(struct rotation_bundle *bundle, const struct rotation_cas *cas, bool intact,
                  int64_t monotonic) {
  const struct rotation_bundle before = *bundle;
  for (size_t i = 0; i < cas->count; i++) {
    int index = index_of(&before.cas, &cas->items[i].id);
    bundle->since[i] = index < 0 ? monotonic : before.since[index];
    bundle->initial[i] = index < 0 ? !before.looked : before.initial[index];
    bundle->stray[i] = index < 0 ? -1 : before.stray[index];
  }
  bundle->looked = true;
  bundle->cas = *cas;
  bundle->intact = intact;
}

void rotation_note_strays(struct rotation_view *view) {
  for (size_t i = 0; i < view->bundle_count; i++) {
    struct rotation_bundle *bundle = &view->bundles[i];
    for (size_t j = 0; j < bundle->cas.count; j++) {
      if (view->secret.found != ROTATION_OURS ||
          rotation_find(&view->secret.cas, &bundle->cas.items[j].id) != NULL) {
        bundle->stray[j] = -1;
      } else if (bundle->stray[j] < 0) {
        bundle->stray[j] = view->monotonic;
      }
    }
  }
}

static int64_t lead_of(time_t not_before, time_t not_after, int64_t lead) {
  // The hour before it was made is not part of its life.
  int64_t life =
      milliseconds(not_after) - milliseconds(not_before) - milliseconds(ROTATION_BACKDATE_SECONDS);
  return lead > 0 ? lead : life / 3;
}

int64_t rotation_due(time_t not_before, time_t not_after, int64_t lead, unsigned jitter) {
  int64_t early = lead_of(not_before, not_after, lead);
  return milliseconds(not_after) - early - early / 10 * (int64_t)jitter / 1000;
}

time_t rotation_end(int64_t now, int64_t seconds, time_t limit) {
  time_t end = (time_t)((now + 999) / 1000 + seconds);
  return limit != 0 && end > limit ? limit : end;
}

// Nobody can be served by it any more, whatever the clock of whoever is asked: clocks may differ by
// the hour of back-dating. Where leaves live shorter than that (in tests) the allowance is as well.
static int64_t margin(const struct rotation_view *view) {
  return sooner(milliseconds(ROTATION_BACKDATE_SECONDS), view->policy.leaf_seconds * 1000 / 3);
}

static bool is_over(const struct rotation_view *view, const struct rotation_ca *ca) {
  return view->now >= milliseconds(ca->not_after) + margin(view);
}

static bool is_of_the_future(const struct rotation_view *view, time_t not_before) {
  return milliseconds(not_before) > view->now + FUTURE_MAX_MILLISECONDS;
}

// The CA of a key in the Secret that can sign; NULL if there is none.
static const struct rotation_ca *signer_at(const struct rotation_view *view, int index) {
  if (index < 0) {
    return NULL;
  }
  const struct rotation_ca *ca = &view->secret.cas.items[index];
  bool can_sign =
      view->now < milliseconds(ca->not_after) && !is_of_the_future(view, ca->not_before);
  return can_sign ? ca : NULL;
}

static bool is_valid(const struct rotation_view *view, const struct rotation_leaf *leaf) {
  return leaf->usable && view->now >= milliseconds(leaf->not_before) &&
         view->now < milliseconds(leaf->not_after);
}

// True if the leaf is good, if not now then soon.
static bool will_do(const struct rotation_view *view, const struct rotation_leaf *leaf) {
  return leaf->usable && view->now < milliseconds(leaf->not_after) &&
         !is_of_the_future(view, leaf->not_before);
}

static bool has_settled_in(const struct rotation_view *view, const struct rotation_bundle *bundle,
                           const struct rotation_id *ca) {
  int index = index_of(&bundle->cas, ca);
  return index >= 0 && view->monotonic - bundle->since[index] >= view->policy.settle;
}

// Every API server that reads a bundle trusts `ca`. `hopeless_is_fine`: but for bundles that we
// may not read or write.
static bool has_settled(const struct rotation_view *view, const struct rotation_id *ca,
                        bool hopeless_is_fine) {
  if (view->unseen && !hopeless_is_fine) {
    return false;
  }
  for (size_t i = 0; i < view->bundle_count; i++) {
    const struct rotation_bundle *bundle = &view->bundles[i];
    bool hopeless = bundle->locked && rotation_find(&bundle->cas, ca) == NULL;
    if (!has_settled_in(view, bundle, ca) && !(hopeless && hopeless_is_fine)) {
      return false;
    }
  }
  return true;
}

// Adds the CAs of `from` that may still be in use.
static void add_living(const struct rotation_view *view, struct rotation_cas *to,
                       const struct rotation_cas *from) {
  for (size_t i = 0; i < from->count && to->count + 1 < ROTATION_CAS_MAX; i++) {
    if (!is_over(view, &from->items[i])) {
      rotation_add(to, &from->items[i]);
    }
  }
}

// Neither the CA nor a next one can sign: a new one, and the way to it as for any other change.
// What others may be serving stays trusted.
static void begin(const struct rotation_view *view, struct rotation_plan *plan) {
  const struct rotation_secret *secret = &view->secret;
  bool create = secret->found == ROTATION_ABSENT;
  bool serving = is_valid(view, &view->served.leaf);
  struct rotation_write *write = &plan->write;
  plan->step = ROTATION_WRITE;
  *write = (struct rotation_write){.create = create, .make_ca = true};
  if (serving) {
    rotation_add(&write->keep, &view->served.ca);
  }
  if (!create) {
    add_living(view, &write->keep, &secret->cas);
  }
  for (size_t i = 0; i < view->bundle_count; i++) {
    add_living(view, &write->keep, &view->bundles[i].cas);
  }
  plan->reason = !create ? ROTATION_REPLACED : serving ? ROTATION_RESTORED : ROTATION_CREATED;
  if (write->keep.count == 0) {
    write->signer = ROTATION_KEY_NEW;
    write->next = ROTATION_KEY_NONE;
    write->leaf = ROTATION_LEAF_NEW;
    return;
  }
  bool has_leaf = !create && will_do(view, &secret->leaf);
  write->signer = ROTATION_KEY_NONE;
  write->next = ROTATION_KEY_NEW;
  write->leaf = has_leaf ? ROTATION_LEAF_KEEP : serving ? ROTATION_LEAF_SERVED : ROTATION_LEAF_NONE;
  // Of leaves that others serve nothing is known but how long they live.
  write->retire_after = later(create ? 0 : secret->retire_after,
                              rotation_end(view->now, view->policy.leaf_seconds, 0));
}

// A change of what is in the Secret that begins with everything as it is.
static struct rotation_write *change(const struct rotation_view *view, struct rotation_plan *plan,
                                     enum rotation_reason reason) {
  plan->step = ROTATION_WRITE;
  plan->reason = reason;
  plan->write =
      (struct rotation_write){.keep = view->secret.cas, .retire_after = view->secret.retire_after};
  return &plan->write;
}

static bool is_needed(const struct rotation_view *view, size_t index) {
  const struct rotation_secret *secret = &view->secret;
  const struct rotation_id *id = &secret->cas.items[index].id;
  return (int)index == secret->signer || (int)index == secret->next ||
         (is_valid(view, &secret->leaf) && rotation_same(id, &secret->leaf.ca)) ||
         (is_valid(view, &view->served.leaf) && rotation_same(id, &view->served.ca.id));
}

// Makes room for another CA: the one goes that ends first of those that are not needed.
static void make_room(const struct rotation_view *view, struct rotation_cas *cas) {
  if (cas->count < ROTATION_CAS_MAX) {
    return;
  }
  size_t first = ROTATION_CAS_MAX;
  for (size_t i = 0; i < cas->count; i++) {
    if (!is_needed(view, i) &&
        (first == ROTATION_CAS_MAX || cas->items[i].not_after < cas->items[first].not_after)) {
      first = i;
    }
  }
  if (first < ROTATION_CAS_MAX) {
    cas->items[first] = cas->items[--cas->count];
  }
}

// True if clients may trust a CA other than this one, with which somebody may be serving.
static bool others_live(const struct rotation_view *view, const struct rotation_id *ca) {
  struct rotation_cas living = {.count = 0};
  add_living(view, &living, &view->secret.cas);
  for (size_t i = 0; i < view->bundle_count; i++) {
    if (!view->bundles[i].locked) {
      add_living(view, &living, &view->bundles[i].cas);
    }
  }
  return living.count > (rotation_find(&living, ca) == NULL ? 0U : 1U);
}

// For a replica that serves nothing: true if others do not serve better with another CA. What was
// in the bundles when it started is taken to have been there long enough.
static bool may_begin_with(const struct rotation_view *view, const struct rotation_id *ca) {
  for (size_t i = 0; i < view->bundle_count; i++) {
    const struct rotation_bundle *bundle = &view->bundles[i];
    int index = index_of(&bundle->cas, ca);
    bool trusted = index >= 0 && (bundle->initial[index] || has_settled_in(view, bundle, ca));
    if (!trusted && !bundle->locked) {
      return !others_live(view, ca);
    }
  }
  return true;
}

static bool plan_adopt(const struct rotation_view *view, struct rotation_plan *plan) {
  const struct rotation_leaf *leaf = &view->secret.leaf;
  const struct rotation_leaf *served = &view->served.leaf;
  bool is_new = !served->usable || !rotation_same(&leaf->id, &served->id);
  if (!is_valid(view, leaf) || !is_new) {
    return false;
  }
  // Whoever trusts what is served trusts another leaf of the same CA.
  bool may = !is_valid(view, served)
                 ? may_begin_with(view, &leaf->ca)
                 : rotation_same(&leaf->ca, &served->ca) || has_settled(view, &leaf->ca, false);
  if (!may) {
    return false;
  }
  plan->step = ROTATION_ADOPT;
  return true;
}

// Somebody has put another Secret in place of the one that our leaf is from.
static bool plan_keep_served(const struct rotation_view *view, struct rotation_plan *plan) {
  const struct rotation_served *served = &view->served;
  if (view->read_only || !is_valid(view, &served->leaf) ||
      rotation_find(&view->secret.cas, &served->ca.id) != NULL) {
    return false;
  }
  struct rotation_write *write = change(view, plan, ROTATION_CA_KEPT);
  make_room(view, &write->keep);
  rotation_add(&write->keep, &served->ca);
  write->retire_after = later(write->retire_after, served->leaf.not_after);
  return true;
}

// What a bundle is to hold: ca.crt, and for a while what else is in it, since a replica may be
// serving with it and has not told yet (see plan_keep_served()).
static bool wanted_in(const struct rotation_view *view, const struct rotation_bundle *bundle,
                      struct rotation_cas *ret_wanted) {
  *ret_wanted = view->secret.cas;
  for (size_t i = 0; i < bundle->cas.count; i++) {
    bool is_new = bundle->stray[i] >= 0 && view->monotonic - bundle->stray[i] < view->policy.settle;
    if (is_new && !is_over(view, &bundle->cas.items[i])) {
      rotation_add(ret_wanted, &bundle->cas.items[i]);
    }
  }
  bool same = bundle->intact && ret_wanted->count == bundle->cas.count;
  for (size_t i = 0; same && i < ret_wanted->count; i++) {
    same = rotation_find(&bundle->cas, &ret_wanted->items[i].id) != NULL;
  }
  return !same;
}

static bool plan_publish(const struct rotation_view *view, struct rotation_plan *plan) {
  bool any = false;
  for (size_t i = 0; i < view->bundle_count && view->secret.cas.count > 0; i++) {
    plan->publishes[i] =
        !view->bundles[i].locked && wanted_in(view, &view->bundles[i], &plan->bundles[i]);
    any = any || plan->publishes[i];
  }
  if (any) {
    plan->step = ROTATION_PUBLISH;
  }
  return any;
}

static bool plan_promote(const struct rotation_view *view, struct rotation_plan *plan) {
  const struct rotation_secret *secret = &view->secret;
  const struct rotation_ca *next = signer_at(view, secret->next);
  if (next == NULL) {
    return false;
  }
  bool nothing_to_lose = signer_at(view, secret->signer) == NULL;
  if (!has_settled(view, &next->id, nothing_to_lose) && others_live(view, &next->id)) {
    return false;
  }
  struct rotation_write *write = change(view, plan, ROTATION_CA_CHANGED);
  write->signer = ROTATION_KEY_NEXT;
  write->next = ROTATION_KEY_NONE;
  write->leaf = ROTATION_LEAF_NEW;
  time_t last = secret->leaf.usable ? secret->leaf.not_after
                                    : rotation_end(view->now, view->policy.leaf_seconds, 0);
  write->retire_after = later(write->retire_after, last);
  if (is_valid(view, &view->served.leaf)) {
    write->retire_after = later(write->retire_after, view->served.leaf.not_after);
  }
  return true;
}

static int64_t ca_due(const struct rotation_view *view, const struct rotation_ca *ca) {
  return rotation_due(ca->not_before, ca->not_after, view->policy.ca_lead, view->policy.jitter);
}

static bool plan_next_ca(const struct rotation_view *view, struct rotation_plan *plan) {
  const struct rotation_ca *signer = signer_at(view, view->secret.signer);
  if (signer == NULL || signer_at(view, view->secret.next) != NULL ||
      view->now < ca_due(view, signer)) {
    return false;
  }
  struct rotation_write *write = change(view, plan, ROTATION_CA_STARTED);
  make_room(view, &write->keep);
  write->make_ca = true;
  write->next = ROTATION_KEY_NEW;
  return true;
}

static int64_t leaf_due(const struct rotation_view *view) {
  const struct rotation_leaf *leaf = &view->secret.leaf;
  return rotation_due(leaf->not_before, leaf->not_after, view->policy.leaf_lead,
                      view->policy.jitter);
}

static bool plan_leaf(const struct rotation_view *view, struct rotation_plan *plan) {
  const struct rotation_ca *signer = signer_at(view, view->secret.signer);
  const struct rotation_leaf *leaf = &view->secret.leaf;
  if (signer == NULL) {
    return false;
  }
  bool good = will_do(view, leaf);
  time_t end = rotation_end(view->now, view->policy.leaf_seconds, signer->not_after);
  // One that would end no later, because its CA ends, is no help.
  bool due = view->now >= leaf_due(view) && end > leaf->not_after;
  if (good && !due) {
    return false;
  }
  enum rotation_reason reason = good ? ROTATION_RENEWED : ROTATION_REPLACED;
  struct rotation_write *write = change(view, plan, reason);
  write->leaf = ROTATION_LEAF_NEW;
  return true;
}

static int64_t retire_time(const struct rotation_view *view, const struct rotation_ca *ca) {
  time_t retire = view->secret.retire_after;
  time_t end = retire != 0 && retire < ca->not_after ? retire : ca->not_after;
  return milliseconds(end) + margin(view);
}

static bool plan_drop(const struct rotation_view *view, struct rotation_plan *plan) {
  struct rotation_write *write = change(view, plan, ROTATION_CA_DROPPED);
  write->keep.count = 0;
  bool old = false;
  for (size_t i = 0; i < view->secret.cas.count; i++) {
    const struct rotation_ca *ca = &view->secret.cas.items[i];
    if (is_needed(view, i)) {
      rotation_add(&write->keep, ca);
    } else if (view->now < retire_time(view, ca)) {
      rotation_add(&write->keep, ca);
      old = true;
    }
  }
  if (!old) {
    write->retire_after = 0;
  }
  if (write->keep.count < view->secret.cas.count) {
    return true;
  }
  if (view->secret.damaged) {  // written anew without what cannot be read
    plan->reason = ROTATION_REPLACED;
    return true;
  }
  *plan = (struct rotation_plan){0};
  return false;
}

static void until(int64_t *wait, int64_t now, int64_t then) {
  if (then > now) {
    *wait = sooner(*wait, then - now);
  }
}

static void plan_wait(const struct rotation_view *view, struct rotation_plan *plan) {
  const struct rotation_secret *secret = &view->secret;
  int64_t wait = view->policy.resync;
  const struct rotation_ca *signer = signer_at(view, secret->signer);
  if (signer != NULL) {
    until(&wait, view->now, ca_due(view, signer));
    until(&wait, view->now, milliseconds(signer->not_after));
  }
  if (secret->leaf.usable) {
    until(&wait, view->now, leaf_due(view));
    until(&wait, view->now, milliseconds(secret->leaf.not_before));
    until(&wait, view->now, milliseconds(secret->leaf.not_after));
  }
  for (size_t i = 0; i < secret->cas.count; i++) {
    until(&wait, view->now, retire_time(view, &secret->cas.items[i]));
  }
  for (size_t i = 0; i < view->bundle_count; i++) {
    for (size_t j = 0; j < view->bundles[i].cas.count; j++) {
      const struct rotation_bundle *bundle = &view->bundles[i];
      until(&wait, view->monotonic, bundle->since[j] + view->policy.settle);
      until(&wait, view->monotonic, bundle->stray[j] + view->policy.settle);
    }
  }
  plan->step = ROTATION_WAIT;
  plan->wait = wait;
}

static bool plan_write(const struct rotation_view *view, struct rotation_plan *plan) {
  return !view->read_only && (plan_promote(view, plan) || plan_next_ca(view, plan) ||
                              plan_leaf(view, plan) || plan_drop(view, plan));
}

void rotation_plan(const struct rotation_view *view, struct rotation_plan *ret_plan) {
  const struct rotation_secret *secret = &view->secret;
  *ret_plan = (struct rotation_plan){.step = ROTATION_WAIT};
  if (secret->found == ROTATION_FOREIGN) {
    ret_plan->step = ROTATION_REFUSE;
    ret_plan->wait = view->policy.resync;
    return;
  }
  bool can_sign = secret->found == ROTATION_OURS && (signer_at(view, secret->signer) != NULL ||
                                                     signer_at(view, secret->next) != NULL);
  if (!can_sign && !view->read_only) {
    begin(view, ret_plan);
    return;
  }
  bool done = secret->found == ROTATION_OURS &&
              ((is_valid(view, &view->served.leaf) && plan_adopt(view, ret_plan)) ||
               plan_keep_served(view, ret_plan) || plan_publish(view, ret_plan) ||
               plan_adopt(view, ret_plan) || plan_write(view, ret_plan));
  if (!done) {
    plan_wait(view, ret_plan);
  }
}

const char *rotation_reason_text(enum rotation_reason reason) {
  static const char *const texts[] = {
      [ROTATION_NOTHING] = "nothing to do",
      [ROTATION_CREATED] = "certificate created",
      [ROTATION_RESTORED] = "certificate Secret restored",
      [ROTATION_REPLACED] = "certificate Secret replaced",
      [ROTATION_RENEWED] = "certificate renewed",
      [ROTATION_CA_STARTED] = "change of the CA begun",
      [ROTATION_CA_CHANGED] = "CA changed",
      [ROTATION_CA_KEPT] = "CA of the served certificate added",
      [ROTATION_CA_DROPPED] = "old CA dropped",
  };
  return texts[reason];
}

const char *rotation_reason_name(enum rotation_reason reason) {
  static const char *const names[] = {
      [ROTATION_NOTHING] = "Nothing",
      [ROTATION_CREATED] = "CertificateCreated",
      [ROTATION_RESTORED] = "CertificateRestored",
      [ROTATION_REPLACED] = "CertificateReplaced",
      [ROTATION_RENEWED] = "CertificateRenewed",
      [ROTATION_CA_STARTED] = "CAChangeStarted",
      [ROTATION_CA_CHANGED] = "CAChanged",
      [ROTATION_CA_KEPT] = "CAKept",
      [ROTATION_CA_DROPPED] = "CADropped",
  };
  return names[reason];
}
