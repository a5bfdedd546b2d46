#pragma once

#include <stddef.h>

#include "admission/error.h"
#include "server/address.h"

// A thread that accepts connections.
struct acceptor;

// Called in that thread with each new socket, which the callee owns.
typedef void (*acceptor_give)(void *context, int fd, const struct sockaddr *address,
                              socklen_t address_len);

// True while no more connections are wanted; they wait in the kernel.
typedef bool (*acceptor_full)(void *context);

// Owns `listener` from then on, also on failure. NULL with a reason.
struct acceptor *acceptor_start(const struct listener *listener, acceptor_give give,
                                acceptor_full full, void *context, struct error *error);

// Takes every connection that the kernel has completed, whatever `full` says, closes the socket and
// ends the thread. Frees. NULL is fine.
void acceptor_stop(struct acceptor *acceptor);
