#pragma once

#include "admission/error.h"

// Certificates that renew themselves (certificates.source: secret): a thread that reads and watches
// the Secret and both webhook configurations, carries out what certs/rotation.h plans, and puts
// each new leaf in force. It never stands in the way of serving: with the API server away, or
// without permission, what is in force stays.
struct certificates;

// Starts the thread. NULL with an error.
struct certificates *certificates_start(struct error *error);

// Ends the call that is under way, waits for the thread, and wipes what it held. NULL is fine.
void certificates_stop(struct certificates *certificates);
