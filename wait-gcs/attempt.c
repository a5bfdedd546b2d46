#include "wait-gcs/attempt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wait-gcs/probe.h"

#define ATTEMPT_MS 6000

// The answer of the child: a reason, or nothing but its NUL when the GCS is there.
static _Noreturn void look(const struct arguments *arguments, int answer) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const char *reason = probe_host(arguments);
  reason = reason == NULL ? "" : reason;
  size_t length = strnlen(reason, REASON_MAX - 1);
  char text[REASON_MAX] = {0};
  memcpy(text, reason, length);
  _exit(write(answer, text, length + 1) < 0);
}

// Waits for the answer: true if there is one, at most `size` bytes.
static bool receive(int answer, char *text, size_t size) {
  struct pollfd polled = {.fd = answer, .events = POLLIN};
  long long deadline = clock_ms() + ATTEMPT_MS;
  for (;;) {
    long long left = deadline - clock_ms();
    int ready = poll(&polled, 1, left > 0 ? (int)left : 0);
    if (ready > 0) {
      return read(answer, text, size) > 0;
    }
    if (ready == 0 || errno != EINTR) {
      return false;
    }
  }
}

// In a process of its own: a name server that does not answer holds getaddrinfo for as long as
// resolv.conf says, and nothing else ends it.
bool attempt_once(const struct arguments *arguments, char reason[REASON_MAX]) {
  int answer[2];
  if (pipe(answer) != 0) {
    snprintf(reason, REASON_MAX, "pipe: %s", strerror(errno));
    return false;
  }
  pid_t child = fork();
  if (child == 0) {
    close(answer[0]);
    look(arguments, answer[1]);
  }
  close(answer[1]);
  if (child < 0) {
    snprintf(reason, REASON_MAX, "fork: %s", strerror(errno));
    close(answer[0]);
    return false;
  }
  if (!receive(answer[0], reason, REASON_MAX)) {
    snprintf(reason, REASON_MAX, "timed out");
  }
  close(answer[0]);
  kill(child, SIGKILL);
  while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
  }
  return reason[0] == '\0';
}
