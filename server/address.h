#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "admission/error.h"
#include "admission/text.h"

// A listening TCP socket.
struct listener {
  int fd;
  struct sockaddr_storage address;  // as bound, with the port that was chosen
  socklen_t address_len;
  char name[80];  // "127.0.0.1:9443", "[::]:9443"
};

// Listens at "host:port": an address, a name, "[::1]:0", or ":9443" for every address of both
// families. Port 0 lets the kernel choose. Returns 0, or -1 with a reason that names the address.
int listener_open(struct text address, struct listener *ret_listener, struct error *error);

// Closes it if it is open.
void listener_close(struct listener *listener);
