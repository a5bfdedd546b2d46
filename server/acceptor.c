#include "server/acceptor.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "server/log.h"

// How long to wait when the process is full or out of descriptors.
#define PAUSE_MILLISECONDS 10

#define STACK_BYTES ((size_t)256 << 10)

struct acceptor {
  struct listener listener;
  acceptor_give give;
  acceptor_full full;
  void *context;
  int stop;  // eventfd
  pthread_t thread;
};

// Takes one connection. False when there is none, or none can be taken just now.
static bool accept_one(struct acceptor *acceptor) {
  struct sockaddr_storage address;
  socklen_t len = sizeof address;
  int fd = accept4(acceptor->listener.fd, (struct sockaddr *)&address, &len,
                   SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      log_message(LOG_LEVEL_ERROR, "cannot accept a connection: %s", strerror(errno));
      poll(NULL, 0, PAUSE_MILLISECONDS);
      return false;
    }
    // A client that is gone already, or a signal (accept(2)): go on to the next.
    return errno == ECONNABORTED || errno == EINTR || errno == EPROTO;
  }
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  acceptor->give(acceptor->context, fd, (struct sockaddr *)&address, len);
  return true;
}

static void *run(void *argument) {
  struct acceptor *acceptor = argument;
  struct pollfd waits[] = {{.fd = acceptor->stop, .events = POLLIN},
                           {.fd = acceptor->listener.fd, .events = POLLIN}};
  while ((waits[0].revents & POLLIN) == 0) {
    bool full = acceptor->full(acceptor->context);
    poll(waits, full ? 1 : 2, full ? PAUSE_MILLISECONDS : -1);
    if (!full && (waits[1].revents & POLLIN) != 0) {
      accept_one(acceptor);
    }
  }
  while (accept_one(acceptor)) {
  }
  listener_close(&acceptor->listener);
  return NULL;
}

static int start_thread(struct acceptor *acceptor) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  int failed = pthread_create(&acceptor->thread, &attributes, run, acceptor);
  pthread_attr_destroy(&attributes);
  return failed;
}

struct acceptor *acceptor_start(const struct listener *listener, acceptor_give give,
                                acceptor_full full, void *context, struct error *error) {
  struct acceptor *acceptor = calloc(1, sizeof *acceptor);
  int stop = eventfd(0, EFD_CLOEXEC);
  if (acceptor != NULL && stop >= 0) {
    *acceptor = (struct acceptor){
        .listener = *listener, .give = give, .full = full, .context = context, .stop = stop};
    int failed = start_thread(acceptor);
    if (failed == 0) {
      return acceptor;
    }
    errno = failed;
  }
  error_set(error, "cannot start the accepting thread: %s", strerror(errno));
  if (stop >= 0) {
    close(stop);
  }
  close(listener->fd);
  free(acceptor);
  return NULL;
}

void acceptor_stop(struct acceptor *acceptor) {
  if (acceptor == NULL) {
    return;
  }
  eventfd_write(acceptor->stop, 1);
  pthread_join(acceptor->thread, NULL);
  close(acceptor->stop);
  free(acceptor);
}
