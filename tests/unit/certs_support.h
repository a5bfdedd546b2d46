#pragma once

#include <check.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certs/certs.h"
#include "suite.h"

// A folder that lives as long as one test, and files in it.

static char dir[PATH_MAX - 64];

#define DAY 86400L
// 2030-01-01T00:00:00Z: no test depends on when it runs.
#define NOW ((time_t)1893456000)

static inline void dir_make(void) {
  snprintf(dir, sizeof dir, "%s/rayfix-certs-XXXXXX",
           getenv("TMPDIR") == NULL ? "/tmp" : getenv("TMPDIR"));
  ck_assert_ptr_nonnull(mkdtemp(dir));
}

static inline int remove_one(const char *path, const struct stat *status, int type,
                             struct FTW *walk) {
  (void)status;
  (void)type;
  (void)walk;
  return remove(path);
}

static inline void dir_remove(void) {
  nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

// "dir/name"; valid until four calls later.
static inline const char *in_dir(const char *name) {
  static char paths[4][PATH_MAX];
  static unsigned next;
  char *path = paths[next++ % 4];
  snprintf(path, PATH_MAX, "%s/%s", dir, name);
  return path;
}

static inline void put_file(const char *name, const void *data, size_t len) {
  FILE *file = fopen(in_dir(name), "wb");
  ck_assert_ptr_nonnull(file);
  ck_assert_uint_eq(fwrite(data, 1, len, file), len);
  ck_assert_int_eq(fclose(file), 0);
}

static inline void put_string(const char *name, const char *text) {
  put_file(name, text, strlen(text));
}

// The file's bytes, NUL-terminated. The caller frees.
static inline char *get_file(const char *name) {
  FILE *file = fopen(in_dir(name), "rb");
  ck_assert_ptr_nonnull(file);
  char *text = calloc(1, 65536);
  ck_assert_ptr_nonnull(text);
  ck_assert_uint_lt(fread(text, 1, 65535, file), 65535);
  fclose(file);
  return text;
}

#define NAME "rayfix.rayfix-system.svc"

static inline struct text_list names_of(const struct text *items, size_t count) {
  return (struct text_list){items, count};
}

// Issues into `where` at `now`, for NAME.
static inline int issue_for(const char *where, time_t now, long ca_days, long leaf_days,
                            struct error *error) {
  struct text items[] = {TEXT(NAME)};
  struct text_list names = names_of(items, 1);
  struct certs_request request = {
      .dns_names = &names,
      .now = now,
      .ca_seconds = ca_days * DAY,
      .leaf_seconds = leaf_days * DAY,
  };
  return certs_issue(where, &request, error);
}

static inline void issue_into(const char *where) {
  struct error error;
  ck_assert_msg(issue_for(where, NOW, 3650, 365, &error) == 0, "%s", error.text);
}

static inline struct certs_pair *load_at(time_t now) {
  struct text items[] = {TEXT(NAME)};
  struct text_list names = names_of(items, 1);
  struct error error;
  struct certs_pair *pair = certs_pair_load(dir, &names, now, &error);
  ck_assert_msg(pair != NULL, "%s", pair == NULL ? error.text : "");
  return pair;
}

// The reason for which loading is refused must hold both texts.
static inline void refused_at(time_t now, const struct text_list *names, const char *file,
                              const char *reason) {
  struct error error = {{0}};
  struct certs_pair *pair = certs_pair_load(dir, names, now, &error);
  ck_assert_msg(pair == NULL, "loaded, but should be refused with: %s", reason);
  ck_assert_msg(strstr(error.text, file) != NULL, "\"%s\" does not name %s", error.text, file);
  ck_assert_msg(strstr(error.text, reason) != NULL, "\"%s\" lacks \"%s\"", error.text, reason);
}
