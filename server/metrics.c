#include "server/metrics.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "server/process_metrics.h"
#include "server/prometheus.h"

typedef atomic_uint_fast64_t counter;

static const char *const path_names[METRICS_PATH_COUNT] = {"mutate", "validate", "other"};
static const char *const operations[] = {"CREATE", "UPDATE", "DELETE", "CONNECT", "other"};
static const int decision_codes[] = {200, 400, 403, 413, 422, 429, 0};
static const unsigned http_codes[] = {200, 400, 403, 404, 405, 413, 415, 500, 503, 0};
static const char *const shed_names[] = {"bytes_in_flight", "out_of_memory", "shutting_down"};
static const char *const closed_names[] = {"request_timeout", "idle_timeout"};
// In the order of enum rotation_reason; nothing happens for the first.
static const char *const rotation_names[METRICS_ROTATION_COUNT] = {
    "none",       "created", "restored",   "replaced", "renewed", "ca_started",
    "ca_changed", "ca_kept", "ca_dropped", "conflict", "failed"};
static const double bounds[] = {50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3,
                                50e-3, 100e-3, 250e-3, 500e-3, 1,    2.5,    5,    10};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct histogram {
  counter buckets[COUNT(bounds) + 1];
  counter nanoseconds;
};

struct path_metrics {
  counter decisions[COUNT(operations)][COUNT(decision_codes)];
  counter answers[COUNT(http_codes)];
  struct histogram duration;
  struct histogram latency;
};

struct file_metrics {
  atomic_int successful;
  atomic_int_fast64_t success_time;
};

static struct {
  struct path_metrics paths[METRICS_PATH_COUNT];
  const char *rules[METRICS_RULES_MAX];
  size_t rule_count;
  counter rule_results[METRICS_RULES_MAX][RULE_RESULT_COUNT];
  counter patch_operations;
  counter bytes_received;
  counter bytes_sent;
  counter shed[METRICS_SHED_COUNT];
  counter closed[METRICS_CLOSED_COUNT];
  struct file_metrics files[METRICS_FILE_COUNT];
  atomic_int_fast64_t requests_in_flight;
  atomic_int_fast64_t bytes_in_flight;
  atomic_int_fast64_t connections;
  atomic_int_fast64_t certificate_expiry;
  atomic_int_fast64_t ca_expiry;
  counter rotations[METRICS_ROTATION_COUNT];
  counter bundle_writes;
  atomic_int bundle_in_sync;
  counter api_errors[METRICS_FAULTS_MAX];
  _Atomic(const char *) api_error_names[METRICS_FAULTS_MAX];
} all;

static void add(counter *to, uint64_t more) {
  atomic_fetch_add_explicit(to, more, memory_order_relaxed);
}

static uint64_t get(counter *from) {
  return atomic_load_explicit(from, memory_order_relaxed);
}

static void observe(struct histogram *histogram, int64_t nanoseconds) {
  double seconds = (double)nanoseconds / 1e9;
  size_t i = 0;
  while (i < COUNT(bounds) && seconds > bounds[i]) {
    i++;
  }
  add(&histogram->buckets[i], 1);
  add(&histogram->nanoseconds, nanoseconds > 0 ? (uint64_t)nanoseconds : 0);
}

void metrics_add_rule(const char *name) {
  if (all.rule_count < METRICS_RULES_MAX) {
    all.rules[all.rule_count++] = name;
  }
}

static void count_rule(const struct rule_report *report) {
  for (size_t i = 0; i < all.rule_count; i++) {
    // Nearly always the same pointer, since both come from the table of rules.
    if (all.rules[i] == report->rule || strcmp(all.rules[i], report->rule) == 0) {
      add(&all.rule_results[i][report->result], 1);
      return;
    }
  }
}

static size_t operation_index(struct text operation) {
  size_t i = 0;
  while (i + 1 < COUNT(operations) && !text_equals(operation, text_of(operations[i]))) {
    i++;
  }
  return i;
}

static size_t decision_code_index(int code) {
  size_t i = 0;
  while (i + 1 < COUNT(decision_codes) && decision_codes[i] != code) {
    i++;
  }
  return i;
}

void metrics_decision(enum metrics_path path, const struct decision *decision,
                      int64_t nanoseconds) {
  struct path_metrics *metrics = &all.paths[path];
  size_t code = decision_code_index(decision->allowed ? 200 : decision->code);
  add(&metrics->decisions[operation_index(decision->operation)][code], 1);
  observe(&metrics->duration, nanoseconds);
  if (decision->patch_operations > 0) {
    add(&all.patch_operations, decision->patch_operations);
  }
  for (size_t i = 0; i < decision->report_count; i++) {
    count_rule(&decision->reports[i]);
  }
}

void metrics_answer(enum metrics_path path, unsigned status, int64_t nanoseconds) {
  size_t i = 0;
  while (i + 1 < COUNT(http_codes) && http_codes[i] != status) {
    i++;
  }
  add(&all.paths[path].answers[i], 1);
  observe(&all.paths[path].latency, nanoseconds);
}

void metrics_bytes_received(size_t bytes) {
  add(&all.bytes_received, bytes);
}

void metrics_bytes_sent(size_t bytes) {
  add(&all.bytes_sent, bytes);
}

void metrics_shed(enum metrics_shed reason) {
  add(&all.shed[reason], 1);
}

void metrics_closed(enum metrics_closed reason) {
  add(&all.closed[reason], 1);
}

void metrics_requests_in_flight(int change) {
  atomic_fetch_add_explicit(&all.requests_in_flight, change, memory_order_relaxed);
}

void metrics_bytes_in_flight_set(size_t bytes) {
  atomic_store_explicit(&all.bytes_in_flight, (int64_t)bytes, memory_order_relaxed);
}

void metrics_connections_changed(int change) {
  atomic_fetch_add_explicit(&all.connections, change, memory_order_relaxed);
}

void metrics_certificate_expiry_set(int64_t seconds_since_epoch) {
  atomic_store_explicit(&all.certificate_expiry, seconds_since_epoch, memory_order_relaxed);
}

void metrics_reloaded(enum metrics_file file, bool successful) {
  atomic_store_explicit(&all.files[file].successful, successful, memory_order_relaxed);
  if (successful) {
    atomic_store_explicit(&all.files[file].success_time, (int64_t)time(NULL), memory_order_relaxed);
  }
}

void metrics_rotation(unsigned result) {
  add(&all.rotations[result < METRICS_ROTATION_COUNT ? result : METRICS_ROTATION_FAILED], 1);
}

void metrics_bundle_written(void) {
  add(&all.bundle_writes, 1);
}

void metrics_bundle_in_sync(bool in_sync) {
  atomic_store_explicit(&all.bundle_in_sync, in_sync, memory_order_relaxed);
}

void metrics_ca_expiry_set(int64_t seconds_since_epoch) {
  atomic_store_explicit(&all.ca_expiry, seconds_since_epoch, memory_order_relaxed);
}

void metrics_api_error(unsigned kind, const char *name) {
  if (kind < METRICS_FAULTS_MAX) {
    atomic_store_explicit(&all.api_error_names[kind], name, memory_order_relaxed);
    add(&all.api_errors[kind], 1);
  }
}

static void write_code(char shown[16], unsigned code) {
  snprintf(shown, 16, "%u", code);
  if (code == 0) {
    snprintf(shown, 16, "other");
  }
}

static void write_decisions(struct buffer *out) {
  const char *name = "rayfix_admission_requests_total";
  prometheus_family(out, name, "counter",
                    "Admission reviews that were decided, by path, operation and code of the "
                    "decision (200 when allowed).");
  for (size_t path = 0; path < METRICS_OTHER; path++) {
    for (size_t op = 0; op < COUNT(operations); op++) {
      for (size_t code = 0; code < COUNT(decision_codes); code++) {
        uint64_t value = get(&all.paths[path].decisions[op][code]);
        bool usual = op == 0 && code == 0;  // present from the start, so that rate() works
        if (value == 0 && !usual) {
          continue;
        }
        char shown[16];
        write_code(shown, (unsigned)decision_codes[code]);
        char labels[128];
        snprintf(labels, sizeof labels, "path=\"%s\",operation=\"%s\",allowed=\"%s\",code=\"%s\"",
                 path_names[path], operations[op], code == 0 ? "true" : "false", shown);
        prometheus_integer(out, name, labels, (int64_t)value);
      }
    }
  }
}

static void write_histogram(struct buffer *out, const char *name, const char *labels,
                            struct histogram *histogram) {
  uint64_t counts[COUNT(bounds) + 1];
  for (size_t i = 0; i < COUNT(counts); i++) {
    counts[i] = get(&histogram->buckets[i]);
  }
  prometheus_histogram(out, name, labels, bounds, counts, COUNT(bounds),
                       (double)get(&histogram->nanoseconds) / 1e9);
}

static void write_durations(struct buffer *out) {
  const char *name = "rayfix_admission_duration_seconds";
  prometheus_family(out, name, "histogram",
                    "Time from the last byte of a review to its decision, in seconds.");
  for (size_t path = 0; path < METRICS_OTHER; path++) {
    char labels[32];
    snprintf(labels, sizeof labels, "path=\"%s\"", path_names[path]);
    write_histogram(out, name, labels, &all.paths[path].duration);
  }
}

// The names that dashboards for controller-runtime look for.
static void write_controller_runtime(struct buffer *out) {
  const char *total = "controller_runtime_webhook_requests_total";
  prometheus_family(out, total, "counter",
                    "Total number of admission requests by HTTP status code.");
  for (size_t path = 0; path < METRICS_PATH_COUNT; path++) {
    for (size_t code = 0; code < COUNT(http_codes); code++) {
      uint64_t value = get(&all.paths[path].answers[code]);
      bool usual = path != METRICS_OTHER && (http_codes[code] == 200 || http_codes[code] == 500);
      if (value == 0 && !usual) {
        continue;
      }
      char shown[16];
      write_code(shown, http_codes[code]);
      char labels[64];
      snprintf(labels, sizeof labels, "webhook=\"/%s\",code=\"%s\"", path_names[path], shown);
      prometheus_integer(out, total, labels, (int64_t)value);
    }
  }
  const char *latency = "controller_runtime_webhook_latency_seconds";
  prometheus_family(out, latency, "histogram",
                    "Histogram of the latency of processing admission requests.");
  for (size_t path = 0; path < METRICS_OTHER; path++) {
    char labels[32];
    snprintf(labels, sizeof labels, "webhook=\"/%s\"", path_names[path]);
    write_histogram(out, latency, labels, &all.paths[path].latency);
  }
}

static void write_rules(struct buffer *out) {
  const char *name = "rayfix_rule_results_total";
  prometheus_family(out, name, "counter", "What each rule did with the reviews that it was shown.");
  for (size_t rule = 0; rule < all.rule_count; rule++) {
    char escaped[128];
    prometheus_escape(all.rules[rule], escaped, sizeof escaped);
    for (size_t result = 0; result < RULE_RESULT_COUNT; result++) {
      char labels[192];
      snprintf(labels, sizeof labels, "rule=\"%s\",result=\"%s\"", escaped,
               rule_result_names[result]);
      prometheus_integer(out, name, labels, (int64_t)get(&all.rule_results[rule][result]));
    }
  }
  prometheus_family(out, "rayfix_patch_operations_total", "counter",
                    "JSON Patch operations in answers.");
  prometheus_integer(out, "rayfix_patch_operations_total", NULL,
                     (int64_t)get(&all.patch_operations));
}

static void write_reasons(struct buffer *out, const char *name, const char *help, counter *counters,
                          const char *const *names, size_t count) {
  prometheus_family(out, name, "counter", help);
  for (size_t i = 0; i < count; i++) {
    char labels[64];
    snprintf(labels, sizeof labels, "reason=\"%s\"", names[i]);
    prometheus_integer(out, name, labels, (int64_t)get(&counters[i]));
  }
}

static void write_traffic(struct buffer *out) {
  prometheus_family(out, "rayfix_request_bytes_total", "counter", "Bytes of request bodies read.");
  prometheus_integer(out, "rayfix_request_bytes_total", NULL, (int64_t)get(&all.bytes_received));
  prometheus_family(out, "rayfix_response_bytes_total", "counter", "Bytes of answers written.");
  prometheus_integer(out, "rayfix_response_bytes_total", NULL, (int64_t)get(&all.bytes_sent));
  write_reasons(out, "rayfix_requests_shed_total", "Requests answered 503, by reason.", all.shed,
                shed_names, METRICS_SHED_COUNT);
  write_reasons(out, "rayfix_connections_closed_total",
                "Connections that the server closed by itself, by reason.", all.closed,
                closed_names, METRICS_CLOSED_COUNT);
  prometheus_family(out, "rayfix_requests_in_flight", "gauge", "Requests being read or answered.");
  prometheus_integer(out, "rayfix_requests_in_flight", NULL, atomic_load(&all.requests_in_flight));
  prometheus_family(out, "rayfix_request_bytes_in_flight", "gauge",
                    "Bytes of request bodies being read or judged.");
  prometheus_integer(out, "rayfix_request_bytes_in_flight", NULL,
                     atomic_load(&all.bytes_in_flight));
  prometheus_family(out, "rayfix_connections", "gauge", "Open TLS connections.");
  prometheus_integer(out, "rayfix_connections", NULL, atomic_load(&all.connections));
}

static void write_file(struct buffer *out, const char *what, struct file_metrics *file) {
  char name[96];
  snprintf(name, sizeof name, "rayfix_%s_last_reload_successful", what);
  prometheus_family(out, name, "gauge", "1 if the last load succeeded, 0 if the old one was kept.");
  prometheus_integer(out, name, NULL, atomic_load(&file->successful));
  snprintf(name, sizeof name, "rayfix_%s_last_reload_success_timestamp_seconds", what);
  prometheus_family(out, name, "gauge", "When what is in force was loaded, since unix epoch.");
  prometheus_integer(out, name, NULL, atomic_load(&file->success_time));
}

static void write_state(struct buffer *out) {
  prometheus_family(out, "rayfix_certificate_expiry_timestamp_seconds", "gauge",
                    "When the serving certificate expires, since unix epoch.");
  prometheus_integer(out, "rayfix_certificate_expiry_timestamp_seconds", NULL,
                     atomic_load(&all.certificate_expiry));
  write_file(out, "config", &all.files[METRICS_CONFIGURATION]);
  write_file(out, "certificate", &all.files[METRICS_CERTIFICATE]);
  prometheus_family(out, "rayfix_build_info", "gauge", "A constant 1, labelled by the build.");
  prometheus_integer(out, "rayfix_build_info",
                     "version=\"" RAYFIX_VERSION "\",commit=\"" RAYFIX_COMMIT "\"", 1);
}

// Zero, or without a label, unless certificates.source is secret.
static void write_rotation(struct buffer *out) {
  const char *name = "rayfix_certificate_rotations_total";
  prometheus_family(out, name, "counter",
                    "Changes of the certificate Secret by this replica, by result.");
  for (size_t i = 1; i < METRICS_ROTATION_COUNT; i++) {
    char labels[64];
    snprintf(labels, sizeof labels, "result=\"%s\"", rotation_names[i]);
    prometheus_integer(out, name, labels, (int64_t)get(&all.rotations[i]));
  }
  prometheus_family(out, "rayfix_ca_expiry_timestamp_seconds", "gauge",
                    "When the CA that signs expires, since unix epoch.");
  prometheus_integer(out, "rayfix_ca_expiry_timestamp_seconds", NULL, atomic_load(&all.ca_expiry));
  prometheus_family(out, "rayfix_ca_bundle_in_sync", "gauge",
                    "1 if every caBundle holds what it should, at the last look.");
  prometheus_integer(out, "rayfix_ca_bundle_in_sync", NULL, atomic_load(&all.bundle_in_sync));
  prometheus_family(out, "rayfix_ca_bundle_writes_total", "counter",
                    "Writes of caBundle by this replica.");
  prometheus_integer(out, "rayfix_ca_bundle_writes_total", NULL, (int64_t)get(&all.bundle_writes));
  name = "rayfix_api_errors_total";
  prometheus_family(out, name, "counter", "Calls to the API server that failed, by reason.");
  for (size_t i = 0; i < METRICS_FAULTS_MAX; i++) {
    const char *reason = atomic_load(&all.api_error_names[i]);
    if (reason != NULL) {
      char labels[96];
      snprintf(labels, sizeof labels, "reason=\"%s\"", reason);
      prometheus_integer(out, name, labels, (int64_t)get(&all.api_errors[i]));
    }
  }
}

void metrics_write(struct buffer *out) {
  write_decisions(out);
  write_durations(out);
  write_rules(out);
  write_traffic(out);
  write_controller_runtime(out);
  write_state(out);
  write_rotation(out);
  process_metrics_write(out);
}
