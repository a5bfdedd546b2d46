#pragma once

#include <stdbool.h>

#include "admission/pod.h"
#include "admission/text.h"

// Where a worker finds its head's GCS, read from free texts: environment, shell lines, arguments
// (semantics §2 M1, "Address"). What is not one plain HOST:PORT, say "$PORT", is no address. Both
// parts consist of such characters only that they mean nothing to a shell.
struct gcs_address {
  struct text host;  // [A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?, at most 253 long
  struct text port;  // decimal, 1 to 65535
};

// Reads HOST:PORT, split at the last colon.
bool gcs_address_parse(struct text text, struct gcs_address *ret_address);

// The address behind every `prefix` in a script; false if there is none or they do not agree.
bool gcs_address_in_script(struct text script, struct text prefix, struct gcs_address *ret_address);

// Where the Ray container will look for its head, in this order: RAY_ADDRESS; FQ_RAY_IP with
// RAY_PORT or 6379; --address in command or args. The first that says anything decides.
bool gcs_address_of_ray(const struct container_view *ray, struct gcs_address *ret_address);

// True for localhost, 127.x.x.x and 0.0.0.0.
bool gcs_address_is_local(const struct gcs_address *address);
