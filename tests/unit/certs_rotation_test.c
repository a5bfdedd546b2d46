#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "certs/rotation.h"
#include "suite.h"

// Simulated clusters: one Secret, two webhook configurations, replicas whose steps are interleaved
// at random, whose calls fail or whose answers are lost, who crash, whose clocks differ by an hour,
// and a person who deletes and damages things. After every step each leaf that is served must be
// trusted by every bundle that some API server may still be using.

#define SECOND 1000LL
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define START (1893456000 * SECOND)
#define SETTLE MINUTE
#define VERSIONS_MAX 256
#define REPLICAS_MAX 3
#define BUNDLES 2

struct version {
  struct rotation_cas cas;
  int64_t until;  // when another one took its place; INT64_MAX: it has none
  bool spoilt;    // made by a person who meddles
  bool excused;   // made by a person, who may break what they like
};

struct configuration {
  struct version versions[VERSIONS_MAX];  // a ring
  size_t count;
};

// As ck_assert_msg(), which tells its parent about every call that succeeds.
#define must(condition, ...)     \
  do {                           \
    if (!(condition)) {          \
      ck_abort_msg(__VA_ARGS__); \
    }                            \
  } while (0)

enum phase { READ_FIRST, READ_SECOND, READ_SECRET, ACT, PUBLISH_FIRST, PUBLISH_SECOND };

struct replica {
  struct rotation_view view;
  struct rotation_plan plan;
  enum phase phase;
  size_t bundle_versions[BUNDLES];
  uint64_t secret_version;
  int64_t skew;
};

static struct world {
  uint64_t random;
  uint64_t seed;
  int64_t settle;
  int64_t now;
  struct rotation_secret secret;
  struct rotation_secret backup;
  uint64_t secret_version;
  struct configuration configurations[BUNDLES];
  struct replica replicas[REPLICAS_MAX];
  size_t replica_count;
  struct rotation_cas ever_served;  // CAs of leaves, the newest of them
  unsigned faults;                  // per mille of calls that fail
  bool forbidden;                   // the second configuration may not be read
  uint64_t made;                    // certificates
  uint64_t writes;
  uint64_t changes;
  uint64_t adoptions;
  uint64_t ca_changes;
} world;

static uint64_t dice(uint64_t sides) {
  world.random ^= world.random << 13;
  world.random ^= world.random >> 7;
  world.random ^= world.random << 17;
  return world.random % sides;
}

static bool chance(unsigned per_mille) {
  return dice(1000) < per_mille;
}

static struct rotation_id new_id(void) {
  struct rotation_id id = {{0}};
  world.made++;
  memcpy(id.bytes, &world.made, sizeof world.made);
  return id;
}

static struct version *version_of(size_t configuration, size_t back) {
  struct configuration *all = &world.configurations[configuration];
  return &all->versions[(all->count - 1 - back) % VERSIONS_MAX];
}

static void put_bundle(size_t configuration, const struct rotation_cas *cas, bool excused) {
  struct configuration *all = &world.configurations[configuration];
  if (all->count > 0) {
    version_of(configuration, 0)->until = world.now;
  }
  all->count++;
  *version_of(configuration, 0) =
      (struct version){.cas = *cas, .until = INT64_MAX, .excused = excused};
}

// ---- what must hold ----

static bool living_at(time_t not_before, time_t not_after, int64_t now) {
  return now >= (int64_t)not_before * 1000 && now < (int64_t)not_after * 1000;
}

// True if no leaf that was ever served would be trusted: there is nothing to lose then.
static bool trusts_nobody(const struct version *version) {
  for (size_t i = 0; i < version->cas.count; i++) {
    const struct rotation_ca *ca = &version->cas.items[i];
    if (living_at(ca->not_before, ca->not_after, world.now) &&
        rotation_find(&world.ever_served, &ca->id) != NULL) {
      return false;
    }
  }
  return true;
}

static void trace(const char *what, size_t who) {
  if (getenv("ROTATION_SEED") == NULL) {
    return;
  }
  printf("%12.3f %s %zu: secret %" PRIu64 " found %d signer %d next %d leaf %d of %d;",
         (double)(world.now - START) / 1000, what, who, world.secret_version,
         (int)world.secret.found, world.secret.signer, world.secret.next,
         world.secret.leaf.usable ? (int)world.secret.leaf.id.bytes[0] : 0,
         (int)world.secret.leaf.ca.bytes[0]);
  for (size_t i = 0; i < world.secret.cas.count; i++) {
    printf(" %d", (int)world.secret.cas.items[i].id.bytes[0]);
  }
  for (size_t c = 0; c < BUNDLES; c++) {
    printf(" |");
    for (size_t i = 0; i < version_of(c, 0)->cas.count; i++) {
      printf(" %d", (int)version_of(c, 0)->cas.items[i].id.bytes[0]);
    }
  }
  for (size_t i = 0; i < world.replica_count; i++) {
    const struct rotation_leaf *leaf = &world.replicas[i].view.served.leaf;
    printf(" | serves %d of %d", leaf->usable ? (int)leaf->id.bytes[0] : 0, (int)leaf->ca.bytes[0]);
  }
  printf("\n");
}

static void check_trust(size_t replica, const struct rotation_served *served) {
  if (!served->leaf.usable ||
      !living_at(served->leaf.not_before, served->leaf.not_after, world.now)) {
    return;  // unready
  }
  for (size_t c = 0; c < BUNDLES; c++) {
    size_t count = world.configurations[c].count;
    for (size_t back = 0; back < count && back < VERSIONS_MAX; back++) {
      const struct version *version = version_of(c, back);
      // Any API server has a bundle within less than the time to settle.
      if (version->until != INT64_MAX && version->until + world.settle <= world.now) {
        break;
      }
      bool trusted = rotation_find(&version->cas, &served->ca.id) != NULL;
      must(trusted || version->excused || trusts_nobody(version),
           "seed %" PRIu64 ": replica %zu is not trusted by configuration %zu, %zu back",
           world.seed, replica, c, back);
    }
  }
}

static void check_all(void) {
  for (size_t i = 0; i < world.replica_count; i++) {
    check_trust(i, &world.replicas[i].view.served);
  }
}

// ---- what a replica does ----

static void restart(struct replica *replica) {
  struct rotation_policy policy = replica->view.policy;
  replica->view = (struct rotation_view){.policy = policy, .bundle_count = BUNDLES};
  replica->phase = READ_FIRST;
}

static void take_time(struct replica *replica) {
  replica->view.now = world.now + replica->skew;
  replica->view.monotonic = world.now - START;
}

static int index_of(const struct rotation_cas *cas, const struct rotation_id *id) {
  for (size_t i = 0; id != NULL && i < cas->count; i++) {
    if (rotation_same(&cas->items[i].id, id)) {
      return (int)i;
    }
  }
  return -1;
}

static const struct rotation_id *id_at(const struct rotation_secret *secret, int index) {
  return index < 0 ? NULL : &secret->cas.items[index].id;
}

static const struct rotation_id *key_of(enum rotation_key key, const struct rotation_secret *old,
                                        const struct rotation_id *keep,
                                        const struct rotation_id *made) {
  return key == ROTATION_KEY_KEEP   ? keep
         : key == ROTATION_KEY_NEW  ? made
         : key == ROTATION_KEY_NEXT ? id_at(old, old->next)
                                    : NULL;
}

// The Secret as the plan wants it.
static struct rotation_secret carry_out(const struct replica *replica) {
  const struct rotation_view *view = &replica->view;
  const struct rotation_write *write = &replica->plan.write;
  const struct rotation_secret *old = &view->secret;
  struct rotation_secret secret = {.found = ROTATION_OURS, .retire_after = write->retire_after};
  time_t from = (time_t)(view->now / 1000) - ROTATION_BACKDATE_SECONDS;
  struct rotation_ca made = {.id = new_id(),
                             .not_before = from,
                             .not_after = rotation_end(view->now, view->policy.ca_seconds, 0)};
  if (write->make_ca) {
    rotation_add(&secret.cas, &made);
  }
  for (size_t i = 0; i < write->keep.count; i++) {
    must(rotation_add(&secret.cas, &write->keep.items[i]), "no room");
  }
  secret.signer =
      index_of(&secret.cas, key_of(write->signer, old, id_at(old, old->signer), &made.id));
  secret.next = index_of(&secret.cas, key_of(write->next, old, id_at(old, old->next), &made.id));
  if (write->leaf == ROTATION_LEAF_NEW) {
    must(secret.signer >= 0, "seed %" PRIu64 ": no signer", world.seed);
    const struct rotation_ca *ca = &secret.cas.items[secret.signer];
    secret.leaf = (struct rotation_leaf){
        .usable = true,
        .id = new_id(),
        .ca = ca->id,
        .not_before = from,
        .not_after = rotation_end(view->now, view->policy.leaf_seconds, ca->not_after)};
  } else if (write->leaf == ROTATION_LEAF_KEEP) {
    secret.leaf = old->leaf;
  } else if (write->leaf == ROTATION_LEAF_SERVED) {
    secret.leaf = view->served.leaf;
  }
  secret.leaf.usable = secret.leaf.usable && rotation_find(&secret.cas, &secret.leaf.ca) != NULL;
  return secret;
}

static size_t number_of(const struct replica *replica) {
  return (size_t)(replica - world.replicas);
}

static void write_secret(struct replica *replica) {
  bool is_there = world.secret.found != ROTATION_ABSENT;
  bool agreed = replica->plan.write.create
                    ? !is_there
                    : is_there && replica->secret_version == world.secret_version;
  if (!agreed || chance(world.faults)) {
    return;
  }
  world.secret = carry_out(replica);
  world.secret_version++;
  world.writes++;
  world.ca_changes += replica->plan.reason == ROTATION_CA_CHANGED;
  trace(rotation_reason_text(replica->plan.reason), number_of(replica));
}

static void publish(struct replica *replica, size_t configuration) {
  bool agreed =
      replica->bundle_versions[configuration] == world.configurations[configuration].count;
  if (replica->plan.publishes[configuration] && agreed && !chance(world.faults)) {
    // What is published in place of something spoilt is as good as one replica could know.
    bool spoilt = version_of(configuration, 0)->spoilt;
    put_bundle(configuration, &replica->plan.bundles[configuration], false);
    version_of(configuration, 0)->excused = spoilt;
    world.changes++;
    trace("publishes", number_of(replica));
  }
}

static void adopt(struct replica *replica) {
  struct rotation_view *view = &replica->view;
  const struct rotation_ca *ca = rotation_find(&view->secret.cas, &view->secret.leaf.ca);
  must(ca != NULL, "seed %" PRIu64 ": no CA", world.seed);
  view->served = (struct rotation_served){view->secret.leaf, *ca};
  if (world.ever_served.count == ROTATION_CAS_MAX) {
    memmove(world.ever_served.items, world.ever_served.items + 1,
            --world.ever_served.count * sizeof world.ever_served.items[0]);
  }
  rotation_add(&world.ever_served, ca);
  world.adoptions++;
  trace("adopts", number_of(replica));
}

// Returns how long the replica would like to wait.
static int64_t act(struct replica *replica) {
  take_time(replica);
  rotation_plan(&replica->view, &replica->plan);
  replica->phase = READ_FIRST;
  switch (replica->plan.step) {
    case ROTATION_WRITE:
      write_secret(replica);
      return 0;
    case ROTATION_PUBLISH:
      replica->phase = PUBLISH_FIRST;
      return 0;
    case ROTATION_ADOPT:
      adopt(replica);
      return 0;
    case ROTATION_WAIT:
    case ROTATION_REFUSE:
      break;
  }
  must(replica->plan.wait > 0, "seed %" PRIu64 ": no wait", world.seed);
  return replica->plan.wait;
}

static void read_bundle(struct replica *replica, size_t configuration) {
  struct rotation_view *view = &replica->view;
  take_time(replica);
  view->unseen = world.forbidden && configuration == 1;
  view->bundle_count = view->unseen ? 1 : BUNDLES;
  if (view->unseen) {
    view->bundles[configuration] = (struct rotation_bundle){.looked = false};
    return;
  }
  rotation_see(&replica->view.bundles[configuration], &version_of(configuration, 0)->cas, true,
               replica->view.monotonic);
  replica->bundle_versions[configuration] = world.configurations[configuration].count;
}

// One call to the API server, or one decision. Returns how long it would like to wait.
static int64_t step(struct replica *replica) {
  if (replica->phase <= READ_SECRET && chance(world.faults)) {
    replica->phase = READ_FIRST;
    return SECOND;
  }
  switch (replica->phase) {
    case READ_FIRST:
    case READ_SECOND:
      read_bundle(replica, replica->phase == READ_FIRST ? 0 : 1);
      replica->phase++;
      return 0;
    case READ_SECRET:
      replica->view.secret = world.secret;
      take_time(replica);
      rotation_note_strays(&replica->view);
      replica->secret_version = world.secret_version;
      replica->phase = ACT;
      return 0;
    case ACT:
      return act(replica);
    case PUBLISH_FIRST:
      publish(replica, 0);
      replica->phase = PUBLISH_SECOND;
      return 0;
    case PUBLISH_SECOND:
      publish(replica, 1);
      replica->phase = READ_FIRST;
      break;
  }
  return 0;
}

// ---- what a person does ----

static void damage(struct rotation_secret *secret) {
  secret->damaged = true;
  switch (dice(6)) {
    case 0:
      secret->signer = -1;
      break;
    case 1:
      secret->next = -1;
      break;
    case 2:
      secret->leaf.usable = false;
      break;
    case 3:
      secret->signer = -1;
      secret->next = -1;
      secret->leaf.usable = false;
      break;
    default:  // ca.crt: then nothing fits any more
      *secret = (struct rotation_secret){
          .found = ROTATION_OURS, .damaged = true, .signer = -1, .next = -1};
  }
}

static void spoil(size_t configuration, const struct rotation_cas *cas) {
  put_bundle(configuration, cas, true);
  version_of(configuration, 0)->spoilt = true;
}

static void meddle(void) {
  static const struct rotation_cas empty;
  struct rotation_cas stranger = {.count = 0};
  switch (dice(7)) {
    case 0:
      world.secret = (struct rotation_secret){.found = ROTATION_ABSENT};
      world.secret_version++;
      break;
    case 1:
      if (world.secret.found == ROTATION_OURS) {
        damage(&world.secret);
        world.secret_version++;
      }
      break;
    case 2:
      spoil(dice(BUNDLES), &empty);
      break;
    case 3:
      rotation_add(&stranger, &(struct rotation_ca){.id = new_id(), .not_after = INT32_MAX});
      spoil(dice(BUNDLES), &stranger);
      break;
    case 4:
      world.secret = (struct rotation_secret){.found = ROTATION_FOREIGN};
      world.secret_version++;
      break;
    case 5:
      world.backup = world.secret;
      break;
    default:
      if (world.backup.found == ROTATION_OURS) {
        world.secret = world.backup;
        world.secret_version++;
        // Only a replica knows that its CA is missing in it, and it has to see that in time.
        for (int i = 0; i < 200; i++) {
          step(&world.replicas[dice(world.replica_count)]);
          check_all();
          world.now += (int64_t)dice(100);
        }
      }
  }
}

// ---- schedules ----

static int64_t some_time(void) {
  switch (dice(12)) {
    case 0:
      return (int64_t)dice(90 * SECOND);
    case 1:
      return (int64_t)dice(40 * MINUTE);
    case 2:
      return chance(200) ? (int64_t)dice(6 * HOUR) : (int64_t)dice(HOUR);
    default:
      return (int64_t)dice(300);
  }
}

static void world_make(uint64_t seed, size_t replicas, int64_t skew) {
  static const struct rotation_cas empty;
  memset(&world, 0, sizeof world);
  world.seed = seed;
  world.random = seed * 0x9e3779b97f4a7c15ULL + 1;
  world.now = START;
  world.settle = SETTLE;
  world.secret.found = ROTATION_ABSENT;
  world.secret_version = 1;
  world.replica_count = replicas;
  for (size_t i = 0; i < BUNDLES; i++) {
    put_bundle(i, &empty, true);
  }
  for (size_t i = 0; i < replicas; i++) {
    struct replica *replica = &world.replicas[i];
    replica->view.policy = (struct rotation_policy){.ca_seconds = 72 * 3600,
                                                    .leaf_seconds = 24 * 3600,
                                                    .settle = SETTLE,
                                                    .resync = 10 * MINUTE,
                                                    .jitter = (unsigned)dice(1000)};
    replica->skew = i == 1 ? skew : 0;
    restart(replica);
  }
}

// Undisturbed, each replica looks when it wants to.
static void live(int64_t duration) {
  int64_t next[REPLICAS_MAX] = {0};
  int64_t end = world.now + duration;
  size_t steps = 0;
  world.faults = 0;
  while (world.now < end) {
    int64_t soonest = end;
    for (size_t i = 0; i < world.replica_count; i++) {
      while (next[i] <= world.now) {
        int64_t wait = step(&world.replicas[i]);
        check_all();
        next[i] = world.now + wait + 5 + (int64_t)dice(50);
        must(++steps < 200000, "seed %" PRIu64 ": no end of steps", world.seed);
      }
      soonest = next[i] < soonest ? next[i] : soonest;
    }
    world.now = soonest;
    check_all();
  }
}

static void check_one_ca(void) {
  must(world.secret.found == ROTATION_OURS && world.secret.leaf.usable && !world.secret.damaged &&
           world.secret.signer >= 0,
       "seed %" PRIu64 ": the Secret has not recovered", world.seed);
  must(world.secret.cas.count <= (world.settle == SETTLE ? 3U : 6U), "seed %" PRIu64 ": %zu CAs",
       world.seed, world.secret.cas.count);
  for (size_t i = 0; i < world.replica_count; i++) {
    const struct rotation_leaf *leaf = &world.replicas[i].view.served.leaf;
    must(leaf->usable && rotation_same(&leaf->id, &world.secret.leaf.id),
         "seed %" PRIu64 ": replica %zu does not serve the Secret's leaf", world.seed, i);
    must(living_at(leaf->not_before, leaf->not_after, world.now),
         "seed %" PRIu64 ": replica %zu serves an expired leaf", world.seed, i);
  }
  for (size_t c = 0; c < BUNDLES; c++) {
    const struct rotation_cas *cas = &version_of(c, 0)->cas;
    must(rotation_find(cas, &world.secret.leaf.ca) != NULL,
         "seed %" PRIu64 ": configuration %zu lacks the CA", world.seed, c);
  }
}

static bool all_agree(void) {
  bool agree = world.secret.next < 0;
  for (size_t i = 0; i < world.replica_count; i++) {
    agree = agree && rotation_same(&world.replicas[i].view.served.leaf.id, &world.secret.leaf.id);
  }
  return agree;
}

// Long enough for what somebody has spoilt to heal, a foreign Secret included once it is gone, and
// then until no step of a change is under way.
static void heal(void) {
  if (world.secret.found == ROTATION_FOREIGN) {
    world.secret = (struct rotation_secret){.found = ROTATION_ABSENT};
    world.secret_version++;
  }
  live(60 * HOUR);
  for (int i = 0; i < 100 && !all_agree(); i++) {
    live(SETTLE / 2);
  }
}

static void disturb(size_t steps, unsigned crashes, unsigned meddling) {
  for (size_t i = 0; i < steps; i++) {
    struct replica *replica = &world.replicas[dice(world.replica_count)];
    if (chance(crashes)) {
      restart(replica);
      trace("restarts", number_of(replica));
    } else {
      step(replica);
    }
    check_all();
    if (chance(meddling)) {
      meddle();
      trace("meddling", 0);
      check_all();
    }
    world.now += some_time();
    check_all();
  }
}

static uint64_t first_seed(void) {
  const char *seed = getenv("ROTATION_SEED");
  return seed == NULL ? 1 : strtoull(seed, NULL, 10);
}

static uint64_t seed_count(uint64_t usual) {
  return getenv("ROTATION_SEED") == NULL ? usual : 1;
}

static void run_schedules(uint64_t count, size_t replicas, unsigned faults, unsigned crashes,
                          unsigned meddling) {
  uint64_t first = first_seed();
  for (uint64_t seed = first; seed < first + seed_count(count); seed++) {
    int64_t skew = seed % 3 == 0 ? 0 : seed % 3 == 1 ? -HOUR : HOUR;
    world_make(seed, replicas, skew);
    world.faults = faults;
    disturb(600, crashes, meddling);
    heal();
    check_one_ca();
  }
}

// Nothing but replicas that get in each other's way.
START_TEST(interleaved) {
  run_schedules(1500, 2, 0, 0, 0);
}
END_TEST

START_TEST(three_replicas_with_faults_and_crashes) {
  run_schedules(1500, 3, 100, 20, 0);
}
END_TEST

START_TEST(disturbed_by_people) {
  run_schedules(3000, 2, 50, 10, 15);
}
END_TEST

// The leaf is renewed as ever, but for the CA a change waits: nobody knows whether the API server
// would trust the next one.
START_TEST(one_configuration_may_not_be_read) {
  world_make(5, 2, 0);
  live(HOUR);
  const struct rotation_id before = world.secret.leaf.ca;
  world.forbidden = true;
  live(70 * HOUR);  // the CA was due after 48, and lives for 72
  for (size_t i = 0; i < world.replica_count; i++) {
    const struct rotation_leaf *leaf = &world.replicas[i].view.served.leaf;
    ck_assert(rotation_same(&leaf->ca, &before));
    ck_assert(living_at(leaf->not_before, leaf->not_after, world.now));
  }
  world.forbidden = false;
  heal();
  check_one_ca();
  ck_assert(!rotation_same(&world.secret.leaf.ca, &before));
}
END_TEST

// Undisturbed for two years of the default lifetimes: how often anything is done.
START_TEST(whole_lifetimes) {
  world_make(7, 2, 0);
  for (size_t i = 0; i < 2; i++) {
    world.replicas[i].view.policy.ca_seconds = 365 * 24 * 3600L;
    world.replicas[i].view.policy.leaf_seconds = 90 * 24 * 3600L;
    world.replicas[i].view.policy.resync = 12 * HOUR;
  }
  live(3 * 365 * 24 * HOUR);
  check_one_ca();
  // A leaf about every 58 days, a CA about every 236 days.
  ck_assert_uint_ge(world.ca_changes, 4);
  ck_assert_uint_le(world.ca_changes, 5);
  ck_assert_uint_ge(world.writes, 20);
  ck_assert_uint_le(world.writes, 40);
  ck_assert_uint_le(world.changes, 2 * (1 + 3 * world.ca_changes));
}
END_TEST

// One leaf after the other, as in a test that does a hundred rotations in a minute.
START_TEST(hundred_rotations_in_a_minute) {
  world_make(3, 2, 0);
  world.settle = 100;
  for (size_t i = 0; i < 2; i++) {
    struct rotation_policy *policy = &world.replicas[i].view.policy;
    *policy = (struct rotation_policy){.ca_seconds = 60,
                                       .leaf_seconds = 30,
                                       .ca_lead = 45000,
                                       .leaf_lead = 29900,
                                       .settle = 100,
                                       .resync = SECOND};
  }
  live(70 * SECOND);
  check_one_ca();
  ck_assert_uint_ge(world.adoptions, 120);  // both replicas: seconds are the grain of dates
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_test(tests, interleaved);
  tcase_add_test(tests, three_replicas_with_faults_and_crashes);
  tcase_add_test(tests, disturbed_by_people);
  tcase_add_test(tests, one_configuration_may_not_be_read);
  tcase_add_test(tests, whole_lifetimes);
  tcase_add_test(tests, hundred_rotations_in_a_minute);
}

int main(void) {
  return run_suite("certs_rotation", add_tests);
}
