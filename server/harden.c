#include "server/harden.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "server/log.h"

// Files besides connections: listeners, epoll, log, what is being reloaded.
#define OTHER_FILES 64UL

// LeakSanitizer attaches to the process with ptrace, which PR_SET_DUMPABLE would forbid.
#if defined(__SANITIZE_ADDRESS__)
#define MAY_BE_TRACED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MAY_BE_TRACED 1
#endif
#endif
#ifndef MAY_BE_TRACED
#define MAY_BE_TRACED 0
#endif

static void warn(const char *what) {
  log_message(LOG_LEVEL_WARN, "%s: %s", what, strerror(errno));
}

void harden_process(void) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    warn("PR_SET_NO_NEW_PRIVS");
  }
  if (!MAY_BE_TRACED && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    warn("PR_SET_DUMPABLE");
  }
  if (setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) != 0) {
    warn("RLIMIT_CORE");
  }
}

void harden_raise_files(unsigned long wanted) {
  struct rlimit limit;
  wanted += OTHER_FILES;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) {
    return;
  }
  bool enough = limit.rlim_max >= wanted;
  limit.rlim_cur = enough ? wanted : limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    warn("RLIMIT_NOFILE");
  } else if (!enough) {
    log_message(LOG_LEVEL_WARN,
                "limits.connections needs %lu open files, the hard limit is %lu: connections "
                "beyond wait in the kernel",
                wanted, (unsigned long)limit.rlim_max);
  }
}
