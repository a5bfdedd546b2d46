#include "cli/certs_flags.h"

#include <stdarg.h>
#include <stdio.h>

#include "certs/certs.h"
#include "server/settings.h"

int certs_fail(const struct verb *verb, int code, const char *format, ...) {
  va_list args;
  va_start(args, format);
  fprintf(stderr, "rayfix %s: ", verb->name);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  return code;
}

static int collect_names(const struct certs_flags *flags, const struct verb *verb,
                         struct arena *arena, struct text_list *ret_names) {
  struct text *items = arena_calloc(arena, flags->dns_names.count + 1, sizeof *items);
  size_t count = 0;
  if (items == NULL) {
    return certs_fail(verb, EXIT_IO, "no memory for the names");
  }
  for (size_t i = 0; i < flags->dns_names.count; i++) {
    items[count++] = text_of(flags->dns_names.items[i]);
  }
  if (flags->service != NULL) {
    items[count] = arena_printf(arena, "%s.%s.svc", flags->service, flags->namespace);
    if (items[count++].data == NULL) {
      return certs_fail(verb, EXIT_IO, "no memory for the names");
    }
  }
  for (size_t i = 0; i < count; i++) {
    if (!certs_name_is_valid(items[i])) {
      return certs_fail(verb, EXIT_USAGE, "\"%.*s\" is neither a DNS name nor an IP address",
                        TEXT_ARG(items[i]));
    }
  }
  *ret_names = (struct text_list){items, count};
  return EXIT_FINE;
}

int certs_flags_resolve(struct certs_flags *flags, const struct verb *verb, bool default_names,
                        struct arena *arena, struct text_list *ret_names) {
  struct settings settings;
  struct error error;
  if (settings_defaults(&settings, arena, &error) != 0) {
    return certs_fail(verb, EXIT_IO, "%s", error.text);
  }
  if (flags->cert_dir == NULL) {
    flags->cert_dir = arena_copy(arena, settings.tls.cert_dir).data;
  }
  if (flags->cert_dir == NULL) {
    return certs_fail(verb, EXIT_IO, "no memory for the name of the folder");
  }
  if (flags->cert_dir[0] == '\0') {
    return certs_fail(verb, EXIT_USAGE, "--cert-dir is empty; wanted a folder");
  }
  if ((flags->service == NULL) != (flags->namespace == NULL)) {
    return certs_fail(verb, EXIT_USAGE, "--service and --namespace must be given together");
  }
  int code = collect_names(flags, verb, arena, ret_names);
  if (code == EXIT_FINE && ret_names->count == 0 && default_names) {
    *ret_names = settings.tls.dns_names;
  }
  return code;
}
