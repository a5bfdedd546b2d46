#include "server/self_check.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

// Where a client reaches a listener: a wildcard address is reached by loopback.
static struct sockaddr_storage reachable(const struct listener *listener) {
  struct sockaddr_storage address = listener->address;
  if (address.ss_family == AF_INET6) {
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
    if (IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr)) {
      v6->sin6_addr = in6addr_loopback;
    }
  } else {
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
    if (v4->sin_addr.s_addr == htonl(INADDR_ANY)) {
      v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
  }
  return address;
}

static int connect_to(const struct listener *listener, struct error *error) {
  struct sockaddr_storage address = reachable(listener);
  int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct timeval limit = {.tv_sec = SELF_CHECK_SECONDS};
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0 ||
      setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
      connect(fd, (struct sockaddr *)&address, listener->address_len) != 0) {
    error_set(error, "cannot connect to %s: %s", listener->name, strerror(errno));
    if (fd >= 0) {
      close(fd);
    }
    return -1;
  }
  return fd;
}

static int shake_hands(gnutls_session_t session, const struct tls_identity *identity,
                       struct error *error) {
  gnutls_handshake_set_timeout(session, SELF_CHECK_SECONDS * 1000);
  int failed;
  do {
    failed = gnutls_handshake(session);
  } while (failed < 0 && gnutls_error_is_fatal(failed) == 0);
  if (failed < 0) {
    return error_set(error, "TLS handshake: %s", gnutls_strerror(failed));
  }
  unsigned count = 0;
  const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
  gnutls_datum_t leaf = tls_identity_leaf(identity);
  bool ours = chain != NULL && count > 0 && chain[0].size == leaf.size &&
              memcmp(chain[0].data, leaf.data, leaf.size) == 0;
  gnutls_bye(session, GNUTLS_SHUT_WR);
  return ours ? 0 : error_set(error, "another certificate than ours is served");
}

int self_check(const struct listener *listener, const struct tls_identity *identity,
               int min_version, struct error *error) {
  int fd = connect_to(listener, error);
  if (fd < 0) {
    return -1;
  }
  gnutls_session_t session = NULL;
  gnutls_certificate_credentials_t credentials = NULL;
  int result;
  if (gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL) < 0 ||
      gnutls_certificate_allocate_credentials(&credentials) < 0 ||
      gnutls_priority_set_direct(session, tls_priorities(min_version), NULL) < 0 ||
      gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials) < 0) {
    result = error_set(error, "cannot set up a TLS client");
  } else {
    gnutls_transport_set_int(session, fd);
    result = shake_hands(session, identity, error);
  }
  if (session != NULL) {
    gnutls_deinit(session);
  }
  if (credentials != NULL) {
    gnutls_certificate_free_credentials(credentials);
  }
  close(fd);
  return result;
}
