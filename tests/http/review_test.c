// What the server answers is byte for byte what `rayfix review` writes: both are one function.
// The real server, over TLS with a verified certificate, with libcurl.

#include <check.h>
#include <curl/curl.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admission/buffer.h"

#define RAYFIX BUILD_DIR "/rayfix"
#define ANSWER_MAX ((size_t)64 << 20)

extern char **environ;

static char folder[] = "/tmp/rayfix-review-XXXXXX";
static char url[128];
static pid_t server;
static CURL *curl;

static void read_all(const char *path, struct buffer *out) {
  FILE *file = fopen(path, "re");
  ck_assert_msg(file != NULL, "%s", path);
  char piece[65536];
  for (size_t len; (len = fread(piece, 1, sizeof piece, file)) > 0;) {
    ck_assert(buffer_append(out, piece, len));
  }
  fclose(file);
}

// Runs the program with its stdin and stdout on the given descriptors.
static pid_t start(char *const argv[], int in, int out) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  pid_t pid;
  ck_assert_int_eq(posix_spawn(&pid, RAYFIX, &actions, NULL, argv, environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

static char *argument(const char *text) {
  char *copy = strdup(text);
  ck_assert_ptr_nonnull(copy);
  return copy;
}

// `rayfix review` on a file.
static void review_offline(const char *path, const char *phase, struct buffer *out) {
  int in = open(path, O_RDONLY | O_CLOEXEC);
  int answer[2];
  ck_assert(in >= 0 && pipe2(answer, O_CLOEXEC) == 0);
  char *argv[] = {argument("rayfix"), argument("review"), argument("--phase"), argument(phase),
                  NULL};
  pid_t pid = start(argv, in, answer[1]);
  close(answer[1]);
  close(in);
  char piece[65536];
  for (ssize_t len; (len = read(answer[0], piece, sizeof piece)) > 0;) {
    ck_assert(buffer_append(out, piece, (size_t)len));
  }
  close(answer[0]);
  waitpid(pid, NULL, 0);
  for (size_t i = 0; argv[i] != NULL; i++) {
    free(argv[i]);
  }
}

static size_t receive(char *bytes, size_t size, size_t count, void *out) {
  return buffer_append(out, bytes, size * count) ? size * count : 0;
}

static void review_online(const struct buffer *body, const char *phase, struct buffer *out) {
  char target[192];
  snprintf(target, sizeof target, "%s/%s?timeout=10s", url, phase);
  curl_easy_setopt(curl, CURLOPT_URL, target);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body->data);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)body->len);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
  CURLcode failed = curl_easy_perform(curl);
  ck_assert_msg(failed == CURLE_OK, "%s", curl_easy_strerror(failed));
}

static void compare(const char *path) {
  static const char *const phases[] = {"mutate", "validate"};
  buffer_auto body = {.max = ANSWER_MAX};
  read_all(path, &body);
  for (size_t i = 0; i < 2; i++) {
    buffer_auto offline = {.max = ANSWER_MAX};
    buffer_auto online = {.max = ANSWER_MAX};
    review_offline(path, phases[i], &offline);
    review_online(&body, phases[i], &online);
    ck_assert_msg(online.len > 0, "%s: no answer", path);
    ck_assert_msg(online.len == offline.len && memcmp(online.data, offline.data, online.len) == 0,
                  "%s, %s:\nserver:  %.*s\noffline: %.*s", path, phases[i], (int)online.len,
                  online.data, (int)offline.len, offline.data);
  }
}

static void compare_folder(const char *path) {
  DIR *directory = opendir(path);
  if (directory == NULL) {
    return;
  }
  for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    char file[4096];
    snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
    if (entry->d_name[0] != '.') {
      compare(file);
    }
  }
  closedir(directory);
}

START_TEST(own_cases) {
  compare_folder(SOURCE_DIR "/tests/http/reviews");
}
END_TEST

START_TEST(recorded_reviews) {
  compare_folder(SOURCE_DIR "/../shared/reviews");
}
END_TEST

static void start_server(void) {
  ck_assert_ptr_nonnull(mkdtemp(folder));
  int out[2];
  int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
  ck_assert(in >= 0 && pipe2(out, O_CLOEXEC) == 0);
  char certs[128];
  snprintf(certs, sizeof certs, "%s/certs", folder);
  char *argv[] = {argument("rayfix"),
                  argument("serve"),
                  argument("--bind-address"),
                  argument("127.0.0.1:0"),
                  argument("--health-bind-address"),
                  argument("127.0.0.1:0"),
                  argument("--cert-dir"),
                  argument(certs),
                  argument("--log-level"),
                  argument("error"),
                  NULL};
  server = start(argv, in, out[1]);
  close(out[1]);
  close(in);
  FILE *lines = fdopen(out[0], "re");
  char line[128];
  bool ready = false;
  while (!ready && fgets(line, sizeof line, lines) != NULL) {
    sscanf(line, "rayfix: serving %100s", url);
    ready = strcmp(line, "rayfix: ready\n") == 0;
  }
  fclose(lines);
  ck_assert_msg(ready && url[0] != '\0', "the server does not start");
  for (size_t i = 0; argv[i] != NULL; i++) {
    free(argv[i]);
  }
}

static void start_client(void) {
  char ca[128];
  snprintf(ca, sizeof ca, "%s/certs/ca.crt", folder);
  curl = curl_easy_init();
  ck_assert_ptr_nonnull(curl);
  static char content_type[] = "Content-Type: application/json";
  static struct curl_slist type = {content_type, NULL};
  curl_easy_setopt(curl, CURLOPT_CAINFO, ca);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, &type);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
}

// Ends the server and removes its folder.
static void stop(void) {
  curl_easy_cleanup(curl);
  kill(server, SIGKILL);
  waitpid(server, NULL, 0);
  char file[160];
  static const char *const names[] = {"tls.crt", "tls.key", "ca.crt", "ca.key"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    snprintf(file, sizeof file, "%s/certs/%s", folder, names[i]);
    unlink(file);
  }
  snprintf(file, sizeof file, "%s/certs", folder);
  rmdir(file);
  rmdir(folder);
}

static void start_both(void) {
  start_server();
  start_client();
}

int main(void) {
  Suite *suite = suite_create("review");
  TCase *tests = tcase_create("review");
  tcase_set_timeout(tests, 0);
  tcase_add_unchecked_fixture(tests, start_both, stop);
  tcase_add_test(tests, own_cases);
  tcase_add_test(tests, recorded_reviews);
  suite_add_tcase(suite, tests);
  SRunner *runner = srunner_create(suite);
  srunner_set_fork_status(runner, CK_NOFORK);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
