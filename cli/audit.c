#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/audit_config.h"
#include "cli/audit_report.h"
#include "cli/connect.h"
#include "cli/object.h"
#include "cli/verb.h"
#include "cluster/calls.h"

extern const struct verb verb_audit;

struct audit_flags {
  struct connect_flags connect;
  const char *namespace_;
  const char *config;
  const char *own_namespace;  // of the installation
  int output;
};

enum { OUTPUT_TEXT, OUTPUT_JSON };
static const char *const output_names[] = {[OUTPUT_TEXT] = "text", [OUTPUT_JSON] = "json", NULL};

static const struct flag flags[] = {
    CONNECT_FLAGS(struct audit_flags, connect),
    {.letter = 'n',
     .name = "namespace",
     .kind = FLAG_TEXT,
     .offset = offsetof(struct audit_flags, namespace_)},
    {.name = "config", .kind = FLAG_TEXT, .offset = offsetof(struct audit_flags, config)},
    {.name = "rayfix-namespace",
     .kind = FLAG_TEXT,
     .offset = offsetof(struct audit_flags, own_namespace)},
    {.letter = 'o',
     .name = "output",
     .kind = FLAG_NAME,
     .offset = offsetof(struct audit_flags, output),
     .names = output_names},
};

// For one kind; a person waits. 10,000 RayClusters are a hundred pages.
#define BUDGET_MS 120000U

#define REPORT_MAX ((size_t)256 << 20)

static const struct resource *const resources[] = {&resource_ray_clusters, &resource_ray_jobs,
                                                   &resource_ray_services, &resource_ray_cron_jobs,
                                                   &resource_pod_disruption_budgets};

struct auditing {
  const struct audit_flags *given;
  struct cluster *cluster;
  const struct audit_config *config;
  struct arena *arena;  // of one object
  struct audit_report report;
  json_t *skipped;  // texts: what could not be had
  struct fault fault;
};

// A RayCluster that a RayJob or RayService made: what is wrong is said of its owner.
static bool has_ray_owner(const json_t *object) {
  const json_t *owners = object_at(object, "metadata.ownerReferences");
  for (size_t i = 0; i < json_array_size(owners); i++) {
    const json_t *owner = json_array_get(owners, i);
    if (json_is_true(json_object_get(owner, "controller")) &&
        strncmp(object_string(owner, "apiVersion"), "ray.io/", 7) == 0) {
      return true;
    }
  }
  return false;
}

static int audit_object(struct auditing *auditing, const struct resource *resource,
                        json_t *object) {
  char version[128];
  snprintf(version, sizeof version, "%s%s%s", resource->group,
           resource->group[0] == '\0' ? "" : "/", resource->version);
  json_object_set_new(object, "apiVersion", json_string(version));  // lists leave both out
  json_object_set_new(object, "kind", json_string(resource->kind));
  char *json = json_dumps(object, JSON_COMPACT);
  struct audit_verdict verdict;
  int status = json == NULL ? -1
                            : audit_judge(auditing->config->configuration->admission,
                                          auditing->arena, json, strlen(json), &verdict);
  free(json);
  if (status != 0) {
    fprintf(stderr, "rayfix audit: out of memory\n");
    return -1;
  }
  if (has_ray_owner(object)) {
    verdict.is_denied = false;
    verdict.violation_count = 0;
  }
  audit_report_add(&auditing->report, object_namespace(object), resource->kind, object_name(object),
                   &verdict);
  return 0;
}

// What cannot be listed is told; a kind whose CRD is not installed (404) is just not there.
static int skip(struct auditing *auditing) {
  struct fault *fault = &auditing->fault;
  if (fault->kind == FAULT_NOT_FOUND) {
    return 0;
  }
  if (fault->kind != FAULT_FORBIDDEN && fault->kind != FAULT_PROTOCOL) {
    fprintf(stderr, "rayfix audit: %s (%s)\n", fault->error.text,
            cluster_origin(auditing->cluster));
    return -1;
  }
  return json_array_append_new(auditing->skipped, json_string(fault->error.text));
}

static int audit_resource(struct auditing *auditing, const struct resource *resource) {
  json_auto_t *items = NULL;
  struct cluster_selection selection = {.namespace_ = auditing->given->namespace_};
  if (cluster_list(auditing->cluster, resource, &selection, BUDGET_MS, &items, NULL,
                   &auditing->fault) != 0) {
    return skip(auditing);
  }
  for (size_t i = 0; i < json_array_size(items); i++) {
    if (audit_object(auditing, resource, json_array_get(items, i)) != 0) {
      return -1;
    }
  }
  return 0;
}

static int print_json(const struct auditing *auditing) {
  const struct audit_config *config = auditing->config;
  json_auto_t *all = json_pack(
      "{s:{s:s, s:s}, s:{s:s, s:s, s:s}, s:o, s:O}", "cluster", "server",
      cluster_server(auditing->cluster), "origin", cluster_origin(auditing->cluster),
      "configuration", "source", config->source, "name", config->name, "note", config->note.text,
      "namespaces", audit_report_json(&auditing->report), "notAudited", auditing->skipped);
  return all == NULL || json_dumpf(all, stdout, JSON_INDENT(2)) != 0 || putchar('\n') == EOF ? -1
                                                                                             : 0;
}

static int print_text(const struct auditing *auditing) {
  buffer_auto out = {.max = REPORT_MAX};
  const struct audit_config *config = auditing->config;
  buffer_printf(&out, "configuration: %s\n", config->name[0] == '\0' ? "defaults" : config->name);
  if (config->note.text[0] != '\0') {
    buffer_printf(&out, "note: not that of the installation: %s\n", config->note.text);
  }
  audit_report_text(&auditing->report, &out);
  for (size_t i = 0; i < json_array_size(auditing->skipped); i++) {
    buffer_printf(&out, "not audited: %s\n",
                  json_string_value(json_array_get(auditing->skipped, i)));
  }
  return out.failed || fwrite(out.data, 1, out.len, stdout) != out.len ? -1 : 0;
}

static int audit(struct auditing *auditing) {
  for (size_t i = 0; i < sizeof resources / sizeof resources[0]; i++) {
    if (audit_resource(auditing, resources[i]) != 0) {
      return EXIT_IO;
    }
  }
  int status = auditing->given->output == OUTPUT_JSON ? print_json(auditing) : print_text(auditing);
  if (status != 0 || auditing->report.failed) {
    fprintf(stderr, "rayfix audit: out of memory, or the output cannot be written\n");
    return EXIT_IO;
  }
  if (json_array_size(auditing->skipped) == sizeof resources / sizeof resources[0]) {
    return EXIT_IO;  // nothing was looked at
  }
  return audit_report_denied(&auditing->report) > 0 ? EXIT_DENIED : EXIT_FINE;
}

static int run_with(struct cluster *cluster, const struct audit_flags *given,
                    const struct audit_config *config) {
  int status = EXIT_IO;
  struct auditing auditing = {
      .given = given,
      .cluster = cluster,
      .config = config,
      .arena = arena_new(ADMISSION_ARENA_FIRST, ADMISSION_ARENA_MAX),
      .report = {.arena = arena_new(ADMISSION_ARENA_FIRST, REPORT_MAX)},
      .skipped = json_array(),
  };
  if (auditing.arena != NULL && auditing.report.arena != NULL && auditing.skipped != NULL) {
    status = audit(&auditing);
  } else {
    fprintf(stderr, "rayfix audit: out of memory\n");
  }
  json_decref(auditing.skipped);
  arena_free(auditing.arena);
  arena_free(auditing.report.arena);
  return status;
}

static int run(int argc, char **argv) {
  struct audit_flags given = {.own_namespace = "rayfix-system"};
  struct audit_config config = {.configuration = NULL};
  struct cluster *cluster = NULL;
  int status = flags_parse(&verb_audit, flags, sizeof flags / sizeof flags[0], &given, argc, argv);
  if (status == FLAGS_GO_ON) {
    status = connect_open(&verb_audit, &given.connect, &cluster);
  }
  if (status == FLAGS_GO_ON) {
    status = audit_config_load(cluster, given.config, given.own_namespace, &config);
  }
  if (status == FLAGS_GO_ON) {
    status = run_with(cluster, &given, &config);
  }
  audit_config_free(&config);
  cluster_close(cluster);
  return status;
}

const struct verb verb_audit = {
    .name = "audit",
    .summary = "judge what exists in a cluster, and count workers, GPUs and what idles",
    .help =
        "Judges every RayCluster, RayJob, RayService, RayCronJob and PodDisruptionBudget of a\n"
        "cluster as the server would if it were created now, and changes nothing. By namespace\n"
        "it prints violations, workers, GPUs, and what stays when nothing runs (IDLE:\n"
        "minReplicas, or all workers without the autoscaler). What a RayJob or RayService has\n"
        "made is counted, and judged once, at its owner.\n"
        "\n"
        "Usage:\n"
        "  rayfix audit [--kubeconfig FILE] [--context NAME] [-n NAMESPACE] [-o text|json]\n"
        "\n"
        "Flags:\n" CONNECT_HELP
        "  -n, --namespace NAME   only this namespace; all of them without it\n"
        "      --config FILE      judge with this configuration; without it with that of the\n"
        "                         installation (ConfigMap rayfix, key config.yaml), and with\n"
        "                         the defaults where there is none or it may not be read\n"
        "      --rayfix-namespace NAME\n"
        "                         where rayfix is installed; \"rayfix-system\" without it\n"
        "  -o, --output FORMAT    text (the default) or json\n"
        "  -h, --help             this text\n"
        "\n"
        "Exit code: 0 nothing would be denied, 1 something would, 2 wrong flags, kubeconfig or\n"
        "configuration (that of the installation, too), 3 the cluster cannot be reached, nothing\n"
        "may be listed, or input/output.\n"
        "\n"
        "Example:\n"
        "  rayfix audit -n team-a\n",
    .run = run,
};
