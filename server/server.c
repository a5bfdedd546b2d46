#include "server/server.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "admission/rule.h"
#include "server/address.h"
#include "server/certificates.h"
#include "server/clock.h"
#include "server/harden.h"
#include "server/health.h"
#include "server/http.h"
#include "server/log.h"
#include "server/memory.h"
#include "server/metrics.h"
#include "server/readiness.h"
#include "server/reload.h"
#include "server/self_check.h"
#include "server/worker.h"

// How often deadlines are looked at: fine enough for the shortest, rarely enough to cost nothing.
#define TICK_MIN 5
#define TICK_MAX 1000

// After half-closing, clients of idle connections get so long to close their side (protocol §6).
#define FIN_WAIT_MILLISECONDS 2000

// Without a request for so long, nothing is on its way any more.
#define QUIET_MILLISECONDS 100

// Under a load that never pauses memory is given back so often: it costs each thread about a
// hundred page faults.
#define SETTLE_MILLISECONDS 10000

struct server {
  struct reload reload;
  sigset_t signals;
  struct listener https;
  struct listener plain;
  struct http *http;
  struct health *health;
  struct certificates *certificates;  // NULL: certificates are files
  int64_t tick;                       // milliseconds
  size_t requests_seen;               // ever begun, at the last look
  size_t requests_settled;            // ever begun, when memory was last given back
  int64_t settled;                    // when that was
};

static enum server_end complain(const struct error *error) {
  fprintf(stderr, "rayfix: %s\n", error->text);
  return SERVER_IO_ERROR;
}

static int64_t tick_of(const struct settings *settings) {
  int64_t tick = settings->limits.request_timeout / 8;
  if (settings->tls.reload_interval < tick) {
    tick = settings->tls.reload_interval;
  }
  return tick < TICK_MIN ? TICK_MIN : tick > TICK_MAX ? TICK_MAX : tick;
}

// Waits for one tick or a signal, looks at deadlines. Returns the signal or 0.
static int wait_a_tick(struct server *server, int64_t milliseconds) {
  struct timespec timeout = {.tv_sec = milliseconds / 1000,
                             .tv_nsec = (milliseconds % 1000) * 1000000};
  int signal = sigtimedwait(&server->signals, NULL, &timeout);
  http_reap(server->http);
  health_reap(server->health);
  return signal < 0 ? 0 : signal;
}

static bool ends(int signal) {
  return signal == SIGTERM || signal == SIGINT;
}

static enum server_end listen_on_both(struct server *server, const struct settings *settings) {
  struct error error;
  if (listener_open(settings->server.bind_address, &server->https, &error) != 0 ||
      listener_open(settings->server.health_bind_address, &server->plain, &error) != 0) {
    listener_close(&server->https);
    return complain(&error);
  }
  return SERVER_STOPPED;
}

static size_t whole_units(struct quantity quantity) {
  return (size_t)(quantity.nano / QUANTITY_NANO);
}

static enum server_end start_serving(struct server *server, const struct settings *settings) {
  struct error error;
  request_limits(whole_units(settings->limits.body), whole_units(settings->limits.bytes_in_flight));
  harden_raise_files((unsigned long)settings->limits.connections);
  server->health = health_start(&server->plain, &error);
  if (server->health == NULL) {
    listener_close(&server->https);
    return complain(&error);
  }
  server->http = http_start(&server->https, settings, &error);
  if (server->http == NULL) {
    return complain(&error);
  }
  printf("rayfix: serving https://%s\nrayfix: health http://%s\n", server->https.name,
         server->plain.name);
  fflush(stdout);
  const struct log_field fields[] = {log_text("https", text_of(server->https.name)),
                                     log_text("health", text_of(server->plain.name)),
                                     log_text("version", TEXT(RAYFIX_VERSION))};
  log_fields(LOG_LEVEL_INFO, "serving", fields, sizeof fields / sizeof fields[0]);
  return SERVER_STOPPED;
}

// True when the handshake with ourselves has succeeded.
static bool check_ourselves(struct server *server, const struct settings *settings) {
  struct error error;
  struct tls_identity *identity = tls_current();
  if (identity == NULL) {
    return false;  // readiness says why
  }
  int failed = self_check(&server->https, identity, settings->tls.min_version, &error);
  tls_identity_unref(identity);
  if (failed != 0) {
    log_fields(LOG_LEVEL_WARN, "not ready",
               (struct log_field[]){log_text("reason", text_of(error.text))}, 1);
    return false;
  }
  readiness_set(READINESS_SERVING, true);
  memory_settle();
  printf("rayfix: ready\n");
  fflush(stdout);
  log_message(LOG_LEVEL_INFO, "ready");
  return true;
}

// After a load has gone, what it needed goes back to the system. So does, from time to time under a
// load that stays, what others than requests have needed: a handshake with the API server touches
// three megabytes of libcrypto.
static void give_back_memory(struct server *server, int64_t now) {
  size_t requests = http_count(server->http).requests;
  bool quiet = requests == server->requests_seen;
  bool late = now - server->settled >= SETTLE_MILLISECONDS;
  if ((quiet || late) && requests != server->requests_settled) {
    memory_settle();
    server->requests_settled = requests;
    server->settled = now;
  }
  server->requests_seen = requests;
}

// Serves until a signal ends it.
static void serve(struct server *server) {
  bool ready = false;
  int64_t last_look = clock_milliseconds();
  int signal = 0;
  while (!ends(signal)) {
    const struct settings *settings = &worker_published()->settings;
    if (!ready) {
      ready = check_ourselves(server, settings);
    }
    signal = wait_a_tick(server, server->tick);
    int64_t now = clock_milliseconds();
    if (signal == SIGHUP || now - last_look >= settings->tls.reload_interval) {
      reload_look(&server->reload, signal == SIGHUP);
      give_back_memory(server, now);
      last_look = now;
    }
  }
  log_fields(LOG_LEVEL_INFO, "shutting down", (struct log_field[]){log_number("signal", signal)},
             1);
}

// Waits so long. True if a second signal says to end now.
static bool stay(struct server *server, int64_t milliseconds) {
  int64_t end = clock_milliseconds() + milliseconds;
  for (int64_t left = milliseconds; left > 0; left = end - clock_milliseconds()) {
    if (ends(wait_a_tick(server, left < server->tick ? left : server->tick))) {
      return true;
    }
  }
  return false;
}

// Waits until no request is in flight or to be expected and none has begun for a while, at most so
// long. True if a
// second signal says to end now.
static bool finish_requests(struct server *server, int64_t milliseconds) {
  int64_t end = clock_milliseconds() + milliseconds;
  int64_t quiet_since = clock_milliseconds();
  struct http_counts before = http_count(server->http);
  while (clock_milliseconds() < end) {
    if (stay(server, TICK_MIN)) {
      return true;
    }
    struct http_counts now = http_count(server->http);
    if (now.open == 0) {
      return false;
    }
    if (now.awaited > 0 || now.requests != before.requests) {
      quiet_since = clock_milliseconds();
      before = now;
    }
    if (clock_milliseconds() - quiet_since >= QUIET_MILLISECONDS) {
      return false;
    }
  }
  log_message(LOG_LEVEL_WARN, "requests are still in flight after shutdown.timeout");
  return false;
}

// Protocol §6. True if a second signal says to end now.
static bool drain(struct server *server) {
  const struct shutdown_settings *settings = &worker_published()->settings.shutdown;
  readiness_set(READINESS_SHUTDOWN, false);
  http_set_stage(HTTP_LEAVING);
  if (stay(server, settings->delay)) {
    return true;
  }
  http_stop_accepting(server->http);
  http_set_stage(HTTP_STOPPING);
  if (finish_requests(server, settings->timeout)) {
    return true;
  }
  http_half_close(server->http);
  int64_t end = clock_milliseconds() + FIN_WAIT_MILLISECONDS;
  while (http_count(server->http).open > 0 && clock_milliseconds() < end) {
    if (stay(server, TICK_MIN)) {
      return true;
    }
  }
  return false;
}

static enum server_end start_certificates(struct server *server, const struct settings *settings) {
  if (settings->certificates.source != CERTIFICATES_SECRET) {
    return SERVER_STOPPED;
  }
  struct error error;
  server->certificates = certificates_start(&error);
  return server->certificates == NULL ? complain(&error) : SERVER_STOPPED;
}

static enum server_end run(struct server *server) {
  const struct settings *settings = &worker_published()->settings;
  enum server_end end = listen_on_both(server, settings);
  if (end == SERVER_STOPPED) {
    end = start_serving(server, settings);
  }
  if (end == SERVER_STOPPED) {
    end = start_certificates(server, settings);
  }
  if (end == SERVER_STOPPED) {
    server->tick = tick_of(settings);
    serve(server);
    certificates_stop(server->certificates);
    if (drain(server)) {
      // At once: waiting for threads is what the second signal wants to avoid.
      log_message(LOG_LEVEL_WARN, "second signal: ending at once");
      _exit(SERVER_CUT_SHORT);
    }
    log_message(LOG_LEVEL_INFO, "stopped");
  }
  http_free(server->http);
  health_free(server->health);
  return end;
}

static void prepare_process(struct server *server) {
  memory_configure();
  harden_process();
  // Signals are waited for in this thread; threads started later inherit the mask.
  sigemptyset(&server->signals);
  sigaddset(&server->signals, SIGTERM);
  sigaddset(&server->signals, SIGINT);
  sigaddset(&server->signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &server->signals, NULL);
  signal(SIGPIPE, SIG_IGN);
  for (size_t i = 0; i < mutator_count; i++) {
    metrics_add_rule(mutators[i]->name);
  }
  for (size_t i = 0; i < validator_count; i++) {
    metrics_add_rule(validators[i]->name);
  }
}

static enum server_end load_and_run(struct server *server) {
  bool unreadable;
  if (reload_first_configuration(&server->reload, &unreadable) != 0) {
    return unreadable ? SERVER_IO_ERROR : SERVER_BAD_CONFIGURATION;
  }
  struct error error;
  // Those of a Secret come when the server runs already, so that its probes can say what is
  // missing.
  bool from_files = worker_published()->settings.certificates.source == CERTIFICATES_DIRECTORY;
  if (from_files && reload_first_certificates(&server->reload, &error) != 0) {
    return complain(&error);
  }
  return run(server);
}

enum server_end server_run(const char *config_path, const struct override *overrides,
                           size_t override_count) {
  struct server server = {.reload = {.config_path = config_path,
                                     .overrides = overrides,
                                     .override_count = override_count},
                          .https = {.fd = -1},
                          .plain = {.fd = -1}};
  prepare_process(&server);
  enum server_end end = load_and_run(&server);
  tls_set_current(NULL);
  worker_publish(NULL);
  worker_free_all();
  return end;
}
