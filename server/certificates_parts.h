#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "certs/rotation.h"
#include "certs/secret.h"
#include "cluster/fault.h"
#include "cluster/resource.h"
#include "server/certificates_look.h"
#include "server/certificates_report.h"

// The parts of a look, each in a file of its own. One thread only.

// One call with all its attempts: a look must not take so long that what was read is old.
#define LOOK_BUDGET_MILLISECONDS 10000U

// Replicas that do not agree (two configurations during an update) must not keep the API server
// busy: so many changes at once, then one in a while.
#define LOOK_WRITES_MAX 100

// ---- certificates_look.c ----

void look_take_time(struct look *look);

// ---- certificates_read.c ----

const struct resource *look_resource(size_t configuration);

enum report_subject look_subject(size_t configuration);

// Takes everything into the view. 0, or -1 with the fault.
int look_read(struct look *look, struct fault *fault);

// The bytes stay those of the store.
struct certs_secret look_borrow(const struct store_secret *secret);

// True with a reason if the Secret's leaf is good but for the time.
bool look_is_out_of_time(const struct look *look, struct error *reason);

// ---- certificates_write.c ----

struct report_place look_report_place(const struct look *look);

void look_write_secret(struct look *look, const struct rotation_plan *plan);

// Writes the bundles of one configuration that the plan names.
void look_publish(struct look *look, const struct rotation_plan *plan, size_t configuration);

// Serves the Secret's leaf, or notes why not in `refusal`.
void look_adopt(struct look *look);

// ---- certificates_state.c ----

// A valid certificate is served.
bool look_serves_well(const struct look *look);

void look_note_state(struct look *look, const struct rotation_plan *plan);

void look_note_sync(struct look *look);
