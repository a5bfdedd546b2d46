#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admission/buffer.h"
#include "admission/review.h"

// What the server counts. Every function may be called from any thread and only does relaxed
// atomic additions; label values come from fixed lists, so the number of series is bounded.

enum metrics_path { METRICS_MUTATE, METRICS_VALIDATE, METRICS_OTHER, METRICS_PATH_COUNT };

// Why a request was not judged although it was well formed.
enum metrics_shed {
  METRICS_SHED_BYTES_IN_FLIGHT,
  METRICS_SHED_OUT_OF_MEMORY,
  METRICS_SHED_SHUTTING_DOWN,
  METRICS_SHED_COUNT,
};

// Why the server closed a connection by itself.
enum metrics_closed {
  METRICS_CLOSED_REQUEST_TIMEOUT,
  METRICS_CLOSED_IDLE_TIMEOUT,
  METRICS_CLOSED_COUNT,
};

// The files whose reloading is reported.
enum metrics_file { METRICS_CONFIGURATION, METRICS_CERTIFICATE, METRICS_FILE_COUNT };

// Names a rule to be counted; before threads start. The name is borrowed for ever. Rules beyond
// METRICS_RULES_MAX are not counted.
#define METRICS_RULES_MAX 64
void metrics_add_rule(const char *name);

// A review was decided, in so many nanoseconds.
void metrics_decision(enum metrics_path path, const struct decision *decision, int64_t nanoseconds);

// A request was answered: its HTTP status, and the time since its headers were read.
void metrics_answer(enum metrics_path path, unsigned status, int64_t nanoseconds);

void metrics_bytes_received(size_t bytes);
void metrics_bytes_sent(size_t bytes);
void metrics_shed(enum metrics_shed reason);
void metrics_closed(enum metrics_closed reason);
void metrics_requests_in_flight(int change);

// Gauges that others keep.
void metrics_bytes_in_flight_set(size_t bytes);
void metrics_certificate_expiry_set(int64_t seconds_since_epoch);
void metrics_connections_changed(int change);
void metrics_reloaded(enum metrics_file file, bool successful);

// What became of a change of certificates in the Secret: an index into metrics_rotation_names.
// The first are those of enum rotation_reason.
#define METRICS_ROTATION_CONFLICT 9  // somebody else was first
#define METRICS_ROTATION_FAILED 10
#define METRICS_ROTATION_COUNT 11
void metrics_rotation(unsigned result);

// The caBundle of both webhook configurations: written, and whether they are as they should be.
void metrics_bundle_written(void);
void metrics_bundle_in_sync(bool in_sync);

void metrics_ca_expiry_set(int64_t seconds_since_epoch);

// A call to the API server failed, by enum fault_kind and its name.
#define METRICS_FAULTS_MAX 24
void metrics_api_error(unsigned kind, const char *name);

// Everything in Prometheus text format 0.0.4.
void metrics_write(struct buffer *out);
