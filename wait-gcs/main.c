// wait-gcs: the init container in which a Ray worker waits for its GCS, in native mode (semantics
// §3). Same loop, lines and exit codes as mutators/wait_gcs.sh.
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "wait-gcs/arguments.h"
#include "wait-gcs/attempt.h"
#include "wait-gcs/probe.h"

#define EXIT_READY 0
#define EXIT_TIMED_OUT 1
#define EXIT_BAD_ARGUMENTS 2
#define EXIT_SIGTERM (128 + SIGTERM)
#define EXIT_SIGINT (128 + SIGINT)

#define DELAY_FIRST_MS 1000
#define DELAY_MAX_MS 8000    // doubled up to here, then half as much more or less by chance
#define PAUSE_MAX_MS 10000L  // never longer than this

// PID 1 gets only those signals that it has a handler for. At once: whatever is being waited for.
static void on_signal(int number) {
  _exit(number == SIGTERM ? EXIT_SIGTERM : EXIT_SIGINT);
}

static void handle_signals(void) {
  const struct sigaction end = {.sa_handler = on_signal};
  const struct sigaction ignore = {.sa_handler = SIG_IGN};
  sigaction(SIGTERM, &end, NULL);
  sigaction(SIGINT, &end, NULL);
  sigaction(SIGPIPE, &ignore, NULL);
}

// A line, whole: one write, and no buffer that would have to be flushed.
__attribute__((format(printf, 2, 3))) static void say(int fd, const char *format, ...) {
  char line[ADDRESS_MAX + REASON_MAX + 128];
  va_list values;
  va_start(values, format);
  int length = vsnprintf(line, sizeof line, format, values);
  va_end(values);
  if (length > 0) {
    // Nobody is left to be told that nobody reads.
    (void)!write(fd, line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
  }
}

// A random number below `limit`.
static long random_below(long limit) {
  unsigned int number = 0;
  if (getrandom(&number, sizeof number, GRND_NONBLOCK) < 0) {
    number = (unsigned int)clock_ms() ^ (unsigned int)getpid();  // spreads well enough
  }
  return (long)(number % (unsigned long)limit);
}

static void pause_ms(long milliseconds) {
  struct timespec left = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
  while (nanosleep(&left, &left) != 0) {
  }
}

static int wait_for_gcs(const struct arguments *arguments) {
  // Workers of one group start together: spread them.
  pause_ms(random_below(1000));
  long long start = clock_ms();
  long long end = start + arguments->timeout * 1000LL;
  for (long delay = DELAY_FIRST_MS;; delay = delay < DELAY_MAX_MS ? delay * 2 : DELAY_MAX_MS) {
    char reason[REASON_MAX] = "";
    bool ready = attempt_once(arguments, reason);
    long long now = clock_ms();
    long long elapsed = (now - start) / 1000;
    if (ready) {
      say(STDOUT_FILENO, "GCS is ready at %s after %llds.\n", arguments->address, elapsed);
      return EXIT_READY;
    }
    if (arguments->timeout > 0 && now >= end) {
      say(STDERR_FILENO, "Gave up on the GCS at %s after %llds (%s).\n", arguments->address,
          elapsed, reason);
      return EXIT_TIMED_OUT;
    }
    say(STDOUT_FILENO, "%lld seconds elapsed: Waiting for GCS to be ready at %s (%s).\n", elapsed,
        arguments->address, reason);
    long pause = delay / 2 + random_below(delay);
    pause = pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS;
    // The last attempt is made when the time is up, not after it.
    pause_ms(arguments->timeout > 0 && now + pause > end ? (long)(end - now) : pause);
  }
}

int main(int argc, char **argv) {
  struct arguments arguments;
  handle_signals();
  if (arguments_read(&arguments, argc, argv) != 0) {
    return EXIT_BAD_ARGUMENTS;
  }
  if (arguments.help) {
    return write(STDOUT_FILENO, arguments_help, strlen(arguments_help)) < 0;
  }
  return wait_for_gcs(&arguments);
}
