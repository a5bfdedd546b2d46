#pragma once

#include "admission/error.h"
#include "server/address.h"

// The plain port: every page of page.h, in one thread.
struct health;

// Serves on `listener`, which it owns from then on, also on failure. NULL with a reason.
struct health *health_start(const struct listener *listener, struct error *error);

// Shuts down connections that are past their deadline.
void health_reap(struct health *health);

// Ends the thread, frees. NULL is fine.
void health_free(struct health *health);
