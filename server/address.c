#include "server/address.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// Long enough for a DNS name (RFC 1035 §2.3.4) or an address with a zone.
#define HOST_MAX 256
#define PORT_MAX 6

struct host_port {
  char host[HOST_MAX];  // empty: every address
  char port[PORT_MAX];
};

static int bad_address(struct text address, struct error *error) {
  return error_set(error,
                   "address \"%.*s\": wanted host:port, such as \":9443\", "
                   "\"127.0.0.1:0\" or \"[::1]:9443\"",
                   TEXT_ARG(address));
}

static int split(struct text address, struct host_port *ret_parts, struct error *error) {
  size_t colon = address.len;
  while (colon > 0 && address.data[colon - 1] != ':') {
    colon--;
  }
  if (colon == 0) {
    return bad_address(address, error);
  }
  struct text host = text_slice(address, 0, colon - 1);
  struct text port = text_slice(address, colon, address.len);
  bool bracketed = host.len >= 2 && host.data[0] == '[' && host.data[host.len - 1] == ']';
  if (bracketed) {
    host = text_slice(host, 1, host.len - 1);
  }
  unsigned long long number;
  if (!text_to_unsigned(port, 65535, &number) || host.len >= HOST_MAX ||
      (!bracketed && text_contains(host, TEXT(":"))) || text_contains(host, TEXT("\0"))) {
    return bad_address(address, error);
  }
  snprintf(ret_parts->host, sizeof ret_parts->host, "%.*s", TEXT_ARG(host));
  snprintf(ret_parts->port, sizeof ret_parts->port, "%llu", number);
  return 0;
}

// A socket bound to `info` that listens, or -1 with errno.
static int open_one(const struct addrinfo *info) {
  int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    return -1;
  }
  int on = 1;
  int off = 0;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (info->ai_family == AF_INET6) {
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0) {
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
  }
  return fd;
}

// Addresses of `family` that stand in `parts`; NULL with *ret_problem set when there is none.
static struct addrinfo *resolve(const struct host_port *parts, int family,
                                const char **ret_problem) {
  struct addrinfo hints = {
      .ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
  struct addrinfo *found = NULL;
  int failed =
      getaddrinfo(parts->host[0] == '\0' ? NULL : parts->host, parts->port, &hints, &found);
  if (failed != 0) {
    *ret_problem = gai_strerror(failed);
    return NULL;
  }
  return found;
}

static int name_listener(struct listener *listener, struct error *error) {
  listener->address_len = sizeof listener->address;
  struct sockaddr *address = (struct sockaddr *)&listener->address;
  char host[64];
  char port[PORT_MAX];
  if (getsockname(listener->fd, address, &listener->address_len) != 0 ||
      getnameinfo(address, listener->address_len, host, sizeof host, port, sizeof port,
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return error_set(error, "cannot tell which port was chosen");
  }
  bool v6 = address->sa_family == AF_INET6;
  snprintf(listener->name, sizeof listener->name, v6 ? "[%s]:%s" : "%s:%s", host, port);
  return 0;
}

int listener_open(struct text address, struct listener *ret_listener, struct error *error) {
  struct host_port parts;
  ret_listener->fd = -1;
  if (split(address, &parts, error) != 0) {
    return -1;
  }
  // Without a host: one IPv6 socket serves both families; where the kernel has no IPv6, IPv4.
  const char *problem = NULL;
  int families[2] = {parts.host[0] == '\0' ? AF_INET6 : AF_UNSPEC, AF_INET};
  int tries = parts.host[0] == '\0' ? 2 : 1;
  for (int i = 0; i < tries && ret_listener->fd < 0; i++) {
    struct addrinfo *found = resolve(&parts, families[i], &problem);
    if (found == NULL) {
      continue;
    }
    ret_listener->fd = open_one(found);
    int saved = errno;
    freeaddrinfo(found);
    problem = ret_listener->fd < 0 ? strerror(saved) : NULL;
    if (saved == EADDRINUSE || saved == EACCES) {
      break;
    }
  }
  if (ret_listener->fd < 0) {
    return error_set(error, "cannot listen on \"%.*s\": %s", TEXT_ARG(address), problem);
  }
  if (name_listener(ret_listener, error) != 0) {
    listener_close(ret_listener);
    return -1;
  }
  return 0;
}

void listener_close(struct listener *listener) {
  if (listener->fd >= 0) {
    close(listener->fd);
    listener->fd = -1;
  }
}
