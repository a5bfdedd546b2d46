#include <openssl/crypto.h>
#include <stdint.h>

#include "certs_support.h"

// Loading while OpenSSL's allocations fail: never a crash, never a pair that did not pass the
// checks, and a reason each time. OpenSSL allocates some thousand times, so not every one is tried.

static size_t allowed = SIZE_MAX;

static bool denied(void) {
  if (allowed == SIZE_MAX) {
    return false;
  }
  if (allowed == 0) {
    return true;
  }
  allowed--;
  return false;
}

static void *take(size_t size, const char *file, int line) {
  (void)file;
  (void)line;
  return denied() ? NULL : malloc(size);
}

static void *take_more(void *old, size_t size, const char *file, int line) {
  (void)file;
  (void)line;
  return denied() ? NULL : realloc(old, size);
}

static void give(void *old, const char *file, int line) {
  (void)file;
  (void)line;
  free(old);
}

// One loading for `name` in which `count` allocations succeed and later ones fail.
// *ret_enough tells whether none failed.
static struct certs_pair *load_with(size_t count, const char *name, bool *ret_enough,
                                    struct error *error) {
  struct text item = text_of(name);
  struct text_list names = names_of(&item, 1);
  allowed = count;
  struct certs_pair *pair = certs_pair_load(dir, &names, NOW, error);
  *ret_enough = allowed > 0;
  allowed = SIZE_MAX;
  return pair;
}

START_TEST(each_failure_is_an_error) {
  issue_into(dir);
  certs_pair_free(load_at(NOW));  // what OpenSSL allocates once for all is there
  bool enough = false;
  for (size_t count = 0; !enough; count += count < 300 ? 1 : count / 40) {
    struct error error = {{0}};
    struct certs_pair *pair = load_with(count, NAME, &enough, &error);
    ck_assert(pair != NULL || (error.text[0] != '\0' && !enough));
    certs_pair_free(pair);
    // A name that it is not for is refused whatever fails.
    bool ignored;
    ck_assert_ptr_null(load_with(count, "other.example", &ignored, &error));
  }
}
END_TEST

static void add_tests(TCase *tcase) {
  tcase_add_checked_fixture(tcase, dir_make, dir_remove);
  tcase_add_test(tcase, each_failure_is_an_error);
}

int main(void) {
  if (CRYPTO_set_mem_functions(take, take_more, give) != 1) {
    fprintf(stderr, "OpenSSL has allocated before main()\n");
    return EXIT_FAILURE;
  }
  return run_suite("certs_memory", add_tests);
}
