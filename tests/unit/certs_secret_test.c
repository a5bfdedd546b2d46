#include "certs/secret.h"
#include "certs_support.h"

// The plan of rotation.h carried out with real keys: a Secret and one bundle, no API server.

#define SECOND 1000LL
#define HOUR (3600 * SECOND)

static struct scene {
  struct certs_pool *pool;
  struct certs_secret secret;
  bool found;
  struct certs_bytes bundle;
  struct certs_served served;
  struct rotation_view view;
  struct error damage;
  unsigned writes;
} scene;

static struct text names_items[] = {TEXT(NAME)};
static const struct text_list names = {names_items, 1};

static void scene_make(void) {
  memset(&scene, 0, sizeof scene);
  scene.pool = certs_pool_new();
  ck_assert_ptr_nonnull(scene.pool);
  scene.view.policy = (struct rotation_policy){.ca_seconds = 72 * 3600,
                                               .leaf_seconds = 24 * 3600,
                                               .settle = 60 * SECOND,
                                               .resync = 12 * HOUR};
  scene.view.bundle_count = 1;
  scene.view.now = (int64_t)NOW * SECOND;
}

static void scene_free(void) {
  certs_secret_free(&scene.secret);
  certs_secret_free(&scene.served.pem);
  certs_bytes_free(&scene.bundle);
  certs_pool_free(scene.pool);
}

static void look(void) {
  struct rotation_cas cas;
  bool intact;
  struct error error;
  ck_assert_int_eq(certs_pool_read(scene.pool, (struct text){scene.bundle.data, scene.bundle.len},
                                   &cas, &intact),
                   0);
  rotation_see(&scene.view.bundles[0], &cas, intact, scene.view.monotonic);
  scene.view.secret = (struct rotation_secret){
      .found = scene.found ? ROTATION_OURS : ROTATION_ABSENT, .signer = -1, .next = -1};
  if (scene.found) {
    ck_assert_int_eq(
        certs_secret_read(scene.pool, &scene.secret, &names, &scene.view.secret, &error), 0);
    scene.damage = error;
  }
  rotation_note_strays(&scene.view);
  scene.view.served = scene.served.rotation;
}

static void write_secret(const struct rotation_plan *plan) {
  const struct certs_change change = {.write = &plan->write,
                                      .policy = &scene.view.policy,
                                      .read = &scene.view.secret,
                                      .secret = scene.found ? &scene.secret : NULL,
                                      .served = &scene.served,
                                      .names = &names,
                                      .now = scene.view.now};
  struct certs_secret wanted;
  struct error error;
  ck_assert_msg(certs_secret_change(scene.pool, &change, &wanted, &error) == 0, "%s", error.text);
  certs_secret_free(&scene.secret);
  scene.secret = wanted;
  scene.found = true;
  scene.writes++;
}

static void adopt(void) {
  struct certs_served served;
  struct error error;
  struct certs_pair *pair = certs_secret_pair(scene.pool, &scene.secret, &scene.view.secret, &names,
                                              (time_t)(scene.view.now / SECOND), &served, &error);
  ck_assert_msg(pair != NULL, "%s", pair == NULL ? error.text : "");
  ck_assert_int_eq(pair->not_after, scene.view.secret.leaf.not_after);
  certs_pair_free(pair);
  certs_secret_free(&scene.served.pem);
  scene.served = served;
}

// Everything that can be done now. Returns how long to wait then.
static int64_t settle_down(void) {
  for (int i = 0; i < 20; i++) {
    struct rotation_plan plan;
    struct error error;
    look();
    rotation_plan(&scene.view, &plan);
    if (plan.step == ROTATION_WAIT || plan.step == ROTATION_REFUSE) {
      return plan.wait;
    }
    if (plan.step == ROTATION_WRITE) {
      write_secret(&plan);
    } else if (plan.step == ROTATION_ADOPT) {
      adopt();
    } else {
      certs_bytes_free(&scene.bundle);
      ck_assert_int_eq(certs_pool_write(scene.pool, &plan.bundles[0], &scene.bundle, &error), 0);
    }
  }
  ck_abort_msg("no end of steps");
  return 0;
}

static void pass(int64_t milliseconds) {
  int64_t end = scene.view.now + milliseconds;
  while (scene.view.now < end) {
    int64_t wait = settle_down();
    wait = wait > end - scene.view.now ? end - scene.view.now : wait;
    scene.view.now += wait;
    scene.view.monotonic += wait;
  }
  settle_down();
}

static void check_well(void) {
  look();
  ck_assert_msg(!scene.view.secret.damaged, "%s", scene.damage.text);
  ck_assert_int_ge(scene.view.secret.signer, 0);
  ck_assert(scene.view.secret.leaf.usable);
  ck_assert(rotation_same(&scene.view.secret.leaf.id, &scene.served.rotation.leaf.id));
  ck_assert_ptr_nonnull(rotation_find(&scene.view.bundles[0].cas, &scene.view.secret.leaf.ca));
}

START_TEST(a_month_of_lifetimes) {
  pass(30 * 24 * HOUR);
  check_well();
  // Leaves every 16 hours, a CA every 48 hours: three writes for each change of it.
  ck_assert_uint_ge(scene.writes, 45);
  ck_assert_uint_le(scene.writes, 120);
  ck_assert_uint_le(scene.view.secret.cas.count, 2);
}
END_TEST

static void put_value(enum certs_secret_key key, const char *text) {
  certs_bytes_free(&scene.secret.values[key]);
  scene.secret.values[key] = (struct certs_bytes){strdup(text), strlen(text)};
}

static const struct {
  enum certs_secret_key key;
  const char *value;
  const char *reason;
} spoilt[] = {
    {CERTS_SECRET_CHAIN, "garbage", "tls.crt: no certificate in it"},
    {CERTS_SECRET_CHAIN, "", "tls.crt: no certificate in it"},
    {CERTS_SECRET_CHAIN, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
     "tls.crt: certificate 1 in it is damaged"},
    {CERTS_SECRET_KEY, "garbage", "tls.key: no private key in it"},
    {CERTS_SECRET_KEY, "", "tls.key: no private key in it"},
    {CERTS_SECRET_CA, "garbage", "ca.crt: no certificate in it"},
    {CERTS_SECRET_CA, "", "ca.crt: no certificate in it"},
    {CERTS_SECRET_CA_KEY, "garbage", "ca.key: no private key in it"},
    {CERTS_SECRET_NEXT_KEY, "garbage", "next-ca.key: no private key in it"},
};

START_TEST(what_is_spoilt_is_named_and_replaced) {
  pass(HOUR);
  put_value(spoilt[_i].key, spoilt[_i].value);
  look();
  ck_assert(scene.view.secret.damaged);
  ck_assert_msg(strstr(scene.damage.text, spoilt[_i].reason) != NULL, "%s", scene.damage.text);
  pass(HOUR);
  check_well();
}
END_TEST

START_TEST(ca_key_that_is_gone_leads_to_another_ca) {
  pass(HOUR);
  struct rotation_id before = scene.served.rotation.ca.id;
  put_value(CERTS_SECRET_CA_KEY, "");
  settle_down();
  // The old leaf serves on until the new CA has settled.
  ck_assert(rotation_same(&scene.served.rotation.ca.id, &before));
  pass(HOUR);
  check_well();
  ck_assert(!rotation_same(&scene.served.rotation.ca.id, &before));
}
END_TEST

START_TEST(key_of_another_leaf) {
  pass(HOUR);
  char *other = strdup(scene.secret.values[CERTS_SECRET_KEY].data);
  pass(24 * HOUR);
  put_value(CERTS_SECRET_KEY, other);
  free(other);
  look();
  ck_assert_msg(strstr(scene.damage.text, "does not belong") != NULL, "%s", scene.damage.text);
  pass(HOUR);
  check_well();
}
END_TEST

START_TEST(secret_that_is_gone_holds_the_served_leaf_again) {
  pass(HOUR);
  struct rotation_id before = scene.served.rotation.leaf.id;
  certs_secret_free(&scene.secret);
  scene.found = false;
  settle_down();
  look();
  ck_assert(rotation_same(&scene.view.secret.leaf.id, &before));
  ck_assert_int_lt(scene.view.secret.signer, 0);
  ck_assert_int_ge(scene.view.secret.next, 0);
  pass(HOUR);
  check_well();
  ck_assert(!rotation_same(&scene.served.rotation.leaf.id, &before));
}
END_TEST

START_TEST(expired_in_every_way) {
  pass(HOUR);
  scene.view.now += 365 * 24 * HOUR;
  scene.view.monotonic += 365 * 24 * HOUR;
  pass(HOUR);
  check_well();
}
END_TEST

START_TEST(a_clock_an_hour_behind_accepts_what_is_made) {
  settle_down();
  struct certs_served served;
  struct error error;
  look();
  struct certs_pair *pair = certs_secret_pair(scene.pool, &scene.secret, &scene.view.secret, &names,
                                              NOW - 3600, &served, &error);
  ck_assert_ptr_nonnull(pair);
  certs_pair_free(pair);
  certs_secret_free(&served.pem);
  pair = certs_secret_pair(scene.pool, &scene.secret, &scene.view.secret, &names, NOW - 3601,
                           &served, &error);
  ck_assert_ptr_null(pair);
  ck_assert_ptr_nonnull(strstr(error.text, "not valid before"));
}
END_TEST

START_TEST(other_names_need_another_leaf) {
  pass(HOUR);
  names_items[0] = TEXT("other.example");
  pass(HOUR);
  check_well();
  names_items[0] = TEXT(NAME);
  look();
  ck_assert_msg(strstr(scene.damage.text, NAME) != NULL, "%s", scene.damage.text);
}
END_TEST

static void add_tests(TCase *tests) {
  tcase_add_checked_fixture(tests, scene_make, scene_free);
  tcase_add_test(tests, a_month_of_lifetimes);
  tcase_add_loop_test(tests, what_is_spoilt_is_named_and_replaced, 0,
                      (int)(sizeof spoilt / sizeof spoilt[0]));
  tcase_add_test(tests, ca_key_that_is_gone_leads_to_another_ca);
  tcase_add_test(tests, key_of_another_leaf);
  tcase_add_test(tests, secret_that_is_gone_holds_the_served_leaf_again);
  tcase_add_test(tests, expired_in_every_way);
  tcase_add_test(tests, a_clock_an_hour_behind_accepts_what_is_made);
  tcase_add_test(tests, other_names_need_another_leaf);
}

int main(void) {
  return run_suite("certs_secret", add_tests);
}
