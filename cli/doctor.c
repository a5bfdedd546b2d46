#include "cli/doctor.h"

#include <stdio.h>

#include "cli/connect.h"
#include "cli/doctor_snapshot.h"
#include "cli/verb.h"
#include "cli/version.h"

extern const struct verb verb_doctor;

struct doctor_flags {
  struct connect_flags connect;
  const char *namespace_;
  const char *name;
  int output;
};

enum { OUTPUT_TEXT, OUTPUT_JSON };
static const char *const output_names[] = {[OUTPUT_TEXT] = "text", [OUTPUT_JSON] = "json", NULL};

static const struct flag flags[] = {
    CONNECT_FLAGS(struct doctor_flags, connect),
    {.letter = 'n',
     .name = "namespace",
     .kind = FLAG_TEXT,
     .offset = offsetof(struct doctor_flags, namespace_)},
    {.name = "name", .kind = FLAG_TEXT, .offset = offsetof(struct doctor_flags, name)},
    {.letter = 'o',
     .name = "output",
     .kind = FLAG_NAME,
     .offset = offsetof(struct doctor_flags, output),
     .names = output_names},
};

// The texts of all findings; a cluster with a thousand broken webhooks has 1 MB.
#define ARENA_MAX ((size_t)64 << 20)

static json_t *rows_json(const struct finding_list *findings) {
  json_t *rows = json_array();
  for (size_t i = 0; i < findings->count; i++) {
    const struct finding_row *row = &findings->rows[i];
    json_t *one = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "severity",
                            severity_names[row->severity], "check", row->check, "where", row->where,
                            "what", row->what, "why", row->why, "fix", row->fix);
    if (json_array_append_new(rows, one) != 0) {
      json_decref(rows);
      return NULL;
    }
  }
  return rows;
}

static int print_json(const struct cluster *cluster, const struct snapshot *snapshot,
                      const struct finding_list *findings) {
  const char *version = json_string_value(json_object_get(snapshot->version, "gitVersion"));
  json_auto_t *report = json_pack(
      "{s:{s:s, s:s, s:s, s:s}, s:s, s:{s:i, s:i, s:i}, s:o}", "cluster", "server",
      cluster_server(cluster), "origin", cluster_origin(cluster), "uid", snapshot->cluster_uid,
      "version", version == NULL ? "" : version, "version", snapshot->own_version, "summary",
      "errors", (int)finding_count(findings, SEVERITY_ERROR), "warnings",
      (int)finding_count(findings, SEVERITY_WARNING), "notes",
      (int)finding_count(findings, SEVERITY_NOTE), "findings", rows_json(findings));
  return report == NULL || json_dumpf(report, stdout, JSON_INDENT(2)) != 0 || putchar('\n') == EOF
             ? -1
             : 0;
}

static int print_text(const struct cluster *cluster, const struct snapshot *snapshot,
                      struct finding_list *findings) {
  buffer_auto out = {.max = ARENA_MAX};
  const char *version = json_string_value(json_object_get(snapshot->version, "gitVersion"));
  const char *uid = snapshot->cluster_uid[0] == '\0' ? "unknown" : snapshot->cluster_uid;
  // Not finding_text(): its lines would become blanks.
  buffer_printf(&out, "cluster: %s (%s)\n         Kubernetes %s, UID %s\n", cluster_server(cluster),
                cluster_origin(cluster), version == NULL ? "unknown" : version, uid);
  finding_write_text(findings, "", &out);
  return out.failed || findings->failed || fwrite(out.data, 1, out.len, stdout) != out.len ? -1 : 0;
}

static int examine(struct cluster *cluster, const struct doctor_flags *given,
                   struct finding_list *findings) {
  struct snapshot snapshot = {
      .now = time(NULL),
      .own_namespace = given->namespace_,
      .own_name = given->name,
      .own_version = rayfix_version,
      .cluster_uid = "",
  };
  struct fault fault;
  if (snapshot_take(cluster, &snapshot, findings, &fault) != 0) {
    fprintf(stderr, "rayfix doctor: %s (%s)\n", fault.error.text, cluster_origin(cluster));
    snapshot_close(&snapshot);
    return EXIT_IO;
  }
  doctor_check(&snapshot, findings);
  int status = given->output == OUTPUT_JSON ? print_json(cluster, &snapshot, findings)
                                            : print_text(cluster, &snapshot, findings);
  bool is_empty = snapshot_is_empty(&snapshot);
  snapshot_close(&snapshot);
  if (status != 0 || findings->failed) {
    fprintf(stderr, "rayfix doctor: out of memory, or the output cannot be written\n");
    return EXIT_IO;
  }
  if (is_empty) {
    return EXIT_IO;  // nothing was looked at
  }
  return finding_count(findings, SEVERITY_ERROR) > 0 ? EXIT_DENIED : EXIT_FINE;
}

static int run(int argc, char **argv) {
  struct doctor_flags given = {.namespace_ = "rayfix-system", .name = "rayfix"};
  struct cluster *cluster = NULL;
  int status = flags_parse(&verb_doctor, flags, sizeof flags / sizeof flags[0], &given, argc, argv);
  if (status == FLAGS_GO_ON) {
    status = connect_open(&verb_doctor, &given.connect, &cluster);
  }
  if (status == FLAGS_GO_ON) {
    struct finding_list findings = {.arena = arena_new(64 << 10, ARENA_MAX)};
    status = EXIT_IO;
    if (findings.arena != NULL) {
      status = examine(cluster, &given, &findings);
    }
    arena_free(findings.arena);
  }
  cluster_close(cluster);
  return status;
}

const struct verb verb_doctor = {
    .name = "doctor",
    .summary = "look for what breaks webhooks and Ray in a cluster, and say how to mend it",
    .help =
        "Looks at a cluster as a support engineer would, and changes nothing: the installation of\n"
        "rayfix (replicas, versions, certificate, permissions, identity), every webhook of the\n"
        "cluster (does its server exist, is its CA valid, can it lock the cluster up),\n"
        "PodDisruptionBudgets that never allow an eviction, GPU nodes with room for few pods, and\n"
        "the replicas of the cluster's DNS. Each finding says what, where, why it matters, and\n"
        "the command that mends it.\n"
        "\n"
        "Usage:\n"
        "  rayfix doctor [--kubeconfig FILE] [--context NAME] [-o text|json]\n"
        "\n"
        "Flags:\n" CONNECT_HELP
        "  -n, --namespace NAME   where rayfix is installed; \"rayfix-system\" without it\n"
        "      --name NAME        of its Deployment and webhook configurations; \"rayfix\"\n"
        "                         without it\n"
        "  -o, --output FORMAT    text (the default) or json\n"
        "  -h, --help             this text\n"
        "\n"
        "It needs what the ClusterRole rayfix-viewer allows; what it may not look at is said in a\n"
        "note. The Secret with the certificate is looked at where that is allowed.\n"
        "\n"
        "Exit code: 0 no error was found (warnings may), 1 an error was found, 2 wrong flags or\n"
        "kubeconfig, 3 the cluster cannot be reached, nothing may be looked at, or input/output.\n"
        "\n"
        "Example:\n"
        "  rayfix doctor\n",
    .run = run,
};
