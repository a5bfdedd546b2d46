// The command line of wait-gcs.
#pragma once

#include <stdbool.h>

// How to ask whether a GCS is there (README.md).
enum wait_mode { WAIT_TCP, WAIT_H2, WAIT_TLS, WAIT_AUTO };

#define HOST_MAX 253  // characters of a name in DNS, RFC 1035 section 2.3.4
#define PORT_MAX 5
#define ADDRESS_MAX (HOST_MAX + PORT_MAX + 3)  // [HOST]:PORT

struct arguments {
  char address[ADDRESS_MAX + 1];  // as given, for people
  char host[HOST_MAX + 1];        // without the brackets of an IPv6 address
  char port[PORT_MAX + 1];
  enum wait_mode mode;
  long timeout;  // seconds, 0: wait without end
  bool help;     // only an explanation is wanted
};

// What -h prints.
extern const char arguments_help[];

// Reads the command line. Returns 0, or -1 after a line on standard error that says what is wrong.
int arguments_read(struct arguments *arguments, int argc, char **argv);
