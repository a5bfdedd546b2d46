// Drives the API client from a script: one JSON command a line on stdin, one JSON answer a line on
// stdout. For api_test.py, and by hand against a real cluster.

#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cluster/calls.h"
#include "cluster/identity.h"
#include "cluster/kubeconfig.h"
#include "cluster/watch.h"

#define WATCHES_MAX 8

struct driver {
  struct cluster *cluster;
  struct watch *watches[WATCHES_MAX];
  size_t watch_count;
  const json_t *command;
  json_t *events;        // of a wait
  bool get_in_callback;  // a call of the callback's own
};

static const struct resource *const resources[] = {&resource_configmaps,
                                                   &resource_events,
                                                   &resource_mutating_webhooks,
                                                   &resource_namespaces,
                                                   &resource_nodes,
                                                   &resource_pods,
                                                   &resource_ray_clusters,
                                                   &resource_secrets,
                                                   &resource_services,
                                                   &resource_validating_webhooks,
                                                   &resource_self_access_reviews};

static const char *string(const struct driver *driver, const char *name) {
  return json_string_value(json_object_get(driver->command, name));
}

static unsigned number(const struct driver *driver, const char *name) {
  return (unsigned)json_integer_value(json_object_get(driver->command, name));
}

static const struct resource *resource_of(const struct driver *driver) {
  const char *name = string(driver, "resource");
  for (size_t i = 0; name != NULL && i < sizeof resources / sizeof resources[0]; i++) {
    if (strcmp(resources[i]->plural, name) == 0) {
      return resources[i];
    }
  }
  fprintf(stderr, "driver: no such resource\n");
  exit(2);
}

static struct cluster_settings settings_of(const struct driver *driver) {
  return (struct cluster_settings){
      .server = string(driver, "server"),
      .server_name = string(driver, "server_name"),
      .proxy = string(driver, "proxy"),
      .ca_pem = string(driver, "ca_pem"),
      .ca_file = string(driver, "ca_file"),
      .token = string(driver, "token"),
      .token_file = string(driver, "token_file"),
      .certificate_file = string(driver, "certificate_file"),
      .key_file = string(driver, "key_file"),
      .insecure = json_is_true(json_object_get(driver->command, "insecure")),
      .origin = "the test",
      .connect_ms = number(driver, "connect_ms"),
      .attempt_ms = number(driver, "attempt_ms"),
      .watch_idle_ms = number(driver, "watch_idle_ms"),
  };
}

static struct cluster *open_kubeconfig(const struct driver *driver,
                                       const struct cluster_settings *settings,
                                       struct fault *fault) {
  struct kubeconfig_file files[8];
  const json_t *given = json_object_get(driver->command, "files");
  size_t count = 0;
  for (; count < json_array_size(given) && count < 8; count++) {
    const json_t *file = json_array_get(given, count);
    files[count].path = json_string_value(json_object_get(file, "path"));
    files[count].root = json_object_get(file, "root");
  }
  return cluster_open_kubeconfig(files, count, string(driver, "context"), settings, fault);
}

static int do_open(struct driver *driver, const char *op, struct fault *fault) {
  struct cluster_settings settings = settings_of(driver);
  for (size_t i = 0; i < driver->watch_count; i++) {
    watch_close(driver->watches[i]);
  }
  driver->watch_count = 0;
  cluster_close(driver->cluster);
  if (strcmp(op, "open") == 0) {
    driver->cluster = cluster_open(&settings, fault);
  } else if (strcmp(op, "open_in_pod") == 0) {
    driver->cluster = cluster_open_in_pod(string(driver, "dir"), &settings, fault);
  } else {
    driver->cluster = open_kubeconfig(driver, &settings, fault);
  }
  return driver->cluster == NULL ? -1 : 0;
}

static void on_event(void *context, const struct watch_event *event) {
  static const char *const names[] = {"ADDED", "MODIFIED", "DELETED"};
  struct driver *driver = context;
  json_array_append_new(
      driver->events, json_pack("{s:s, s:O}", "type", names[event->type], "object", event->object));
  if (driver->get_in_callback) {
    json_t *object = NULL;
    struct fault fault;
    int status = cluster_get(driver->cluster, &resource_namespaces, NULL, "kube-system", 5000,
                             &object, &fault);
    json_array_append_new(driver->events, json_pack("{s:b}", "called", status == 0));
    json_decref(object);
  }
}

static int do_wait(struct driver *driver, json_t *answer, struct fault *fault) {
  driver->events = json_array();
  driver->get_in_callback = json_is_true(json_object_get(driver->command, "call"));
  int got = watch_wait(driver->watches, driver->watch_count, number(driver, "ms"), on_event, driver,
                       fault);
  json_object_set_new(answer, "events", driver->events);
  json_object_set_new(answer, "count", json_integer(got));
  if (driver->watch_count > 0) {
    json_object_set_new(answer, "live", json_boolean(watch_is_live(driver->watches[0])));
    json_object_set_new(answer, "gone", json_boolean(watch_is_gone(driver->watches[0])));
    json_object_set_new(answer, "watch_fault",
                        json_string(watch_fault(driver->watches[0])->error.text));
  }
  return got < 0 ? -1 : 0;
}

static int do_watch(struct driver *driver, const char *op, json_t *answer, struct fault *fault) {
  struct cluster_selection selection = {.namespace_ = string(driver, "ns"),
                                        .label_selector = string(driver, "label"),
                                        .field_selector = string(driver, "field")};
  if (strcmp(op, "wait") == 0) {
    return do_wait(driver, answer, fault);
  }
  if (strcmp(op, "restart") == 0) {
    return watch_restart(driver->watches[number(driver, "index")], string(driver, "version")) ? 0
                                                                                              : -1;
  }
  struct watch *watch = watch_open(driver->cluster, resource_of(driver), &selection,
                                   string(driver, "version"), fault);
  if (watch != NULL) {
    driver->watches[driver->watch_count++] = watch;
  }
  return watch == NULL ? -1 : 0;
}

static int do_list(struct driver *driver, json_t *answer, struct fault *fault) {
  char version[CLUSTER_VERSION_MAX] = "";
  json_t *items = NULL;
  struct cluster_selection selection = {.namespace_ = string(driver, "ns"),
                                        .label_selector = string(driver, "label"),
                                        .field_selector = string(driver, "field"),
                                        .page = number(driver, "page")};
  int status = cluster_list(driver->cluster, resource_of(driver), &selection,
                            number(driver, "budget"), &items, version, fault);
  if (status == 0) {
    json_object_set_new(answer, "items", items);
    json_object_set_new(answer, "version", json_string(version));
  }
  return status;
}

static int do_patch(struct driver *driver, const char *type, json_t **ret_object,
                    struct fault *fault) {
  struct cluster_patch patch = {
      .type = strcmp(type, "json") == 0    ? PATCH_JSON
              : strcmp(type, "merge") == 0 ? PATCH_MERGE
                                           : PATCH_APPLY,
      .body = json_object_get(driver->command, "object"),
      .force = json_is_true(json_object_get(driver->command, "force")),
  };
  return cluster_patch(driver->cluster, resource_of(driver), string(driver, "ns"),
                       string(driver, "name"), &patch, number(driver, "budget"), ret_object, fault);
}

static int do_text(struct driver *driver, json_t *answer, struct fault *fault) {
  char *text = NULL;
  size_t len = 0;
  int status = cluster_get_text(driver->cluster, string(driver, "path"), number(driver, "budget"),
                                &text, &len, fault);
  if (status == 0) {
    json_object_set_new(answer, "text", json_stringn(text, len));
  }
  free(text);
  return status;
}

static int do_call(struct driver *driver, const char *op, json_t *answer, struct fault *fault) {
  struct cluster *cluster = driver->cluster;
  json_t *object = json_object_get(driver->command, "object");
  const char *ns = string(driver, "ns");
  const char *name = string(driver, "name");
  unsigned budget = number(driver, "budget");
  json_t *got = NULL;
  int status = -1;
  if (strcmp(op, "get") == 0) {
    status = cluster_get(cluster, resource_of(driver), ns, name, budget, &got, fault);
  } else if (strcmp(op, "create") == 0) {
    status = cluster_create(cluster, resource_of(driver), ns, object, budget, &got, fault);
  } else if (strcmp(op, "update") == 0) {
    status = cluster_update(cluster, resource_of(driver), ns, name, object, budget, &got, fault);
  } else if (strcmp(op, "patch") == 0) {
    status = do_patch(driver, string(driver, "type"), &got, fault);
  } else if (strcmp(op, "delete") == 0) {
    status = cluster_delete(cluster, resource_of(driver), ns, name, string(driver, "uid"), budget,
                            fault);
  } else if (strcmp(op, "ask") == 0) {
    status = cluster_ask(cluster, resource_of(driver), object, budget, &got, fault);
  } else if (strcmp(op, "path") == 0) {
    status = cluster_get_path(cluster, string(driver, "path"), budget, &got, fault);
  } else if (strcmp(op, "text") == 0) {
    status = do_text(driver, answer, fault);
  } else if (strcmp(op, "list") == 0) {
    status = do_list(driver, answer, fault);
  } else if (strcmp(op, "expect") == 0) {
    status = cluster_identity_expect(cluster, string(driver, "uid"), fault);
  } else if (strcmp(op, "identity") == 0) {
    status = cluster_identity_check(cluster, budget, fault);
    json_object_set_new(answer, "uid", json_string(cluster_identity(cluster)));
  } else {
    status = do_watch(driver, op, answer, fault);
  }
  if (got != NULL) {
    json_object_set_new(answer, "object", got);
  }
  return status;
}

struct canceller {
  struct cluster *cluster;
  unsigned ms;
};

static void *cancel_later(void *data) {
  struct canceller *canceller = data;
  usleep(canceller->ms * 1000);
  cluster_cancel(canceller->cluster);
  return NULL;
}

static json_t *obey(struct driver *driver) {
  json_t *answer = json_object();
  struct fault fault = {.kind = FAULT_NONE};
  const char *op = string(driver, "op");
  struct canceller canceller = {driver->cluster, number(driver, "cancel_after")};
  pthread_t thread;
  bool cancels = canceller.ms > 0 && pthread_create(&thread, NULL, cancel_later, &canceller) == 0;
  int status = strncmp(op, "open", 4) == 0 ? do_open(driver, op, &fault)
                                           : do_call(driver, op, answer, &fault);
  if (cancels) {
    pthread_join(thread, NULL);
  }
  if (status == 0 && driver->cluster != NULL) {
    json_object_set_new(answer, "server", json_string(cluster_server(driver->cluster)));
    json_object_set_new(answer, "namespace", json_string(cluster_namespace(driver->cluster)));
    json_object_set_new(answer, "origin", json_string(cluster_origin(driver->cluster)));
  }
  json_object_set_new(answer, "ok", json_boolean(status == 0));
  json_object_set_new(answer, "kind", json_string(fault_name(fault.kind)));
  json_object_set_new(answer, "code", json_integer(fault.http_code));
  json_object_set_new(answer, "text",
                      json_object_get(answer, "text") != NULL && status == 0
                          ? json_incref(json_object_get(answer, "text"))
                          : json_string(fault.error.text));
  return answer;
}

int main(void) {
  struct driver driver = {.cluster = NULL};
  char *line = NULL;
  size_t size = 0;
  signal(SIGPIPE, SIG_IGN);
  while (getline(&line, &size, stdin) > 0) {
    json_t *command = json_loads(line, 0, NULL);
    driver.command = command;
    json_t *answer = obey(&driver);
    json_dumpf(answer, stdout, JSON_COMPACT);
    printf("\n");
    fflush(stdout);
    json_decref(answer);
    json_decref(command);
  }
  free(line);
  for (size_t i = 0; i < driver.watch_count; i++) {
    watch_close(driver.watches[i]);
  }
  cluster_close(driver.cluster);
  return 0;
}
