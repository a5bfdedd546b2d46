#pragma once

#include "admission/arena.h"
#include "server/configuration.h"

// What each thread that judges reviews keeps for itself: an arena, and a note of which
// configuration it is reading just now.
struct worker;

// The calling thread's worker; made at the first call. NULL when memory is short.
struct worker *worker_self(void);

struct arena *worker_arena(struct worker *worker);

// The configuration in force, which stays valid until worker_release(). Costs two atomic
// operations and never waits: a hazard pointer (Michael, 2004).
const struct configuration *worker_acquire(struct worker *worker);
void worker_release(struct worker *worker);

// Puts a configuration in force and steals it; waits (milliseconds) until no worker reads the old
// one, then frees that. NULL is fine. One thread only.
void worker_publish(struct configuration *configuration);

// The configuration in force, for the one thread that publishes.
const struct configuration *worker_published(void);

// Frees every worker; when their threads have ended.
void worker_free_all(void);
