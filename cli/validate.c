#include <stdio.h>
#include <stdlib.h>

#include "cli/creation.h"
#include "cli/documents.h"
#include "cli/report.h"
#include "cli/verb.h"

extern const struct verb verb_validate;

struct validate_flags {
  struct document_flags input;
  int output;
  int warn_exit_code;
};

static const char *const output_names[] = {"text", "json", "sarif", "junit", NULL};
static const struct report_format *const formats[] = {&report_text, &report_json, &report_sarif,
                                                      &report_junit};

static const struct flag flags[] = {
    DOCUMENT_FLAGS(struct validate_flags, input),
    {.letter = 'o',
     .name = "output",
     .kind = FLAG_NAME,
     .offset = offsetof(struct validate_flags, output),
     .names = output_names},
    {.name = "warn-exit-code",
     .kind = FLAG_NUMBER,
     .offset = offsetof(struct validate_flags, warn_exit_code)},
};

// An answer is a message and warnings, each with a maximum; see answer.h.
#define ANSWER_MAX ((size_t)1 << 20)

struct run {
  const struct validate_flags *given;
  const struct admission_config *config;
  struct arena *arena;
  const struct manifest *manifest;  // that is being worked on
  const struct report_format *format;
  struct buffer body;  // the objects of the report
  struct tally tally;
  enum { RUN_FINE, RUN_BAD_MANIFEST, RUN_FAILED } status;  // RUN_FAILED: memory
  struct error error;
};

static int out_of_memory(struct run *run) {
  run->status = RUN_FAILED;
  return error_set(&run->error, "%s:%zu: out of memory", run->manifest->file, run->manifest->line);
}

static bool has_warnings(const struct judged *judged) {
  for (size_t i = 0; i < judged->violation_count; i++) {
    if (judged->violations[i].action == ACTION_WARN) {
      return true;
    }
  }
  return false;
}

static int put(struct run *run, const struct judged *judged) {
  run->format->object(&run->body, judged, &run->tally);
  if (!judged->allowed) {
    run->tally.denied++;
  } else if (has_warnings(judged)) {
    run->tally.warned++;
  } else {
    run->tally.fine++;
  }
  return run->body.failed ? out_of_memory(run) : 0;
}

// A denial that no rule made, shown as if one had.
static int put_refused(struct run *run, struct judged *judged) {
  struct violation violation = {
      .rule = REPORT_REQUEST_RULE,
      .id = "",
      .action = ACTION_DENY,
      .message = judged->message,
  };
  judged->allowed = false;
  judged->violations = &violation;
  judged->violation_count = 1;
  return put(run, judged);
}

static int ask(struct run *run, struct judged *judged, const struct buffer *review) {
  if (review->len > ADMISSION_BODY_MAX) {
    judged->message = TEXT("larger than the API server takes");
    return put_refused(run, judged);
  }
  buffer_auto answer = {.max = ANSWER_MAX};
  struct decision decision = {.allowed = false};
  enum admission_status status = admission_review(run->config, PHASE_VALIDATE, run->arena,
                                                  review->data, review->len, &answer, &decision);
  if (status == ADMISSION_OUT_OF_MEMORY || answer.failed) {
    return out_of_memory(run);
  }
  judged->message = decision.message;
  if (status == ADMISSION_BAD_REQUEST || (!decision.allowed && decision.violation_count == 0)) {
    return put_refused(run, judged);
  }
  judged->allowed = decision.allowed;
  judged->violations = decision.violations;
  judged->violation_count = decision.violation_count;
  return put(run, judged);
}

static int judge(struct run *run, const struct creation_kind *kind, yyjson_mut_val *object) {
  struct judged judged = {
      .manifest = run->manifest,
      .object = object,
      .line = manifest_lines_find(run->manifest->lines, object, TEXT(""), run->manifest->line),
      .api_version = manifest_text(object, "apiVersion"),
      .kind = manifest_text(object, "kind"),
      .namespace_name = creation_namespace(kind, object, run->given->input.namespace_name),
      .name = creation_name(object),
  };
  buffer_auto review = {.max = MANIFEST_OUTPUT_MAX};
  if (creation_write(kind, object, judged.namespace_name, &review) != 0) {
    return out_of_memory(run);
  }
  return ask(run, &judged, &review);
}

// A List of kubectl or of the API server: RayClusterList, PodList.
static yyjson_mut_val *items_of(yyjson_mut_val *object) {
  yyjson_mut_val *items = yyjson_mut_obj_get(object, "items");
  bool list = text_ends_with(manifest_text(object, "kind"), TEXT("List"));
  return list && yyjson_mut_is_arr(items) ? items : NULL;
}

// kubectl refuses such a file too. To skip it would be to allow what a typing mistake hides.
static int refuse_nameless(struct run *run, yyjson_mut_val *object) {
  run->status = RUN_BAD_MANIFEST;
  const char *missing = manifest_text(object, "kind").len == 0 ? "kind" : "apiVersion";
  return error_set(
      &run->error, "%s:%zu: found an object without %s; a manifest has apiVersion and kind",
      run->manifest->file,
      manifest_lines_find(run->manifest->lines, object, TEXT(""), run->manifest->line), missing);
}

static int judge_object(struct run *run, yyjson_mut_val *object, size_t depth) {
  yyjson_mut_val *items = items_of(object);
  if (items != NULL && depth < MANIFEST_DEPTH_MAX) {
    yyjson_mut_arr_iter iter = yyjson_mut_arr_iter_with(items);
    for (yyjson_mut_val *item = yyjson_mut_arr_iter_next(&iter); item != NULL;
         item = yyjson_mut_arr_iter_next(&iter)) {
      if (judge_object(run, item, depth + 1) != 0) {
        return -1;
      }
    }
    return 0;
  }
  if (manifest_text(object, "kind").len == 0 || manifest_text(object, "apiVersion").len == 0) {
    return refuse_nameless(run, object);
  }
  const struct creation_kind *kind = creation_kind_of(object);
  if (kind == NULL) {
    run->tally.skipped++;
    return 0;
  }
  return judge(run, kind, object);
}

// Nothing is printed before everything is judged: half a report would look like a whole one.
static int print(struct run *run) {
  buffer_auto frame = {.max = MANIFEST_OUTPUT_MAX};
  run->format->begin(&frame, &run->tally);
  size_t head = frame.len;
  run->format->end(&frame, &run->tally);
  if (frame.failed) {
    run->status = RUN_FAILED;
    return error_set(&run->error, "out of memory");
  }
  fwrite(frame.len == 0 ? "" : frame.data, 1, head, stdout);
  fwrite(run->body.len == 0 ? "" : run->body.data, 1, run->body.len, stdout);
  fwrite(frame.len == 0 ? "" : frame.data + head, 1, frame.len - head, stdout);
  return 0;
}

static int exit_code(const struct run *run) {
  switch (run->status) {
    case RUN_BAD_MANIFEST:
      return EXIT_USAGE;
    case RUN_FAILED:
      return EXIT_IO;
    case RUN_FINE:
    default:
      break;
  }
  if (run->tally.denied > 0) {
    return EXIT_DENIED;
  }
  return run->tally.warned > 0 ? run->given->warn_exit_code : EXIT_FINE;
}

static int validate(const struct validate_flags *given, const struct admission_config *config,
                    const struct manifest_list *list) {
  struct run run = {.given = given,
                    .config = config,
                    .format = formats[given->output],
                    .body = {.max = MANIFEST_OUTPUT_MAX}};
  run.arena = arena_new(ADMISSION_ARENA_FIRST, ADMISSION_ARENA_MAX);
  int status = 0;
  if (run.arena == NULL) {
    run.status = RUN_FAILED;
    status = error_set(&run.error, "out of memory");
  }
  for (size_t i = 0; i < list->count && status == 0; i++) {
    run.manifest = &list->items[i];
    status = judge_object(&run, yyjson_mut_doc_get_root(run.manifest->doc), 0);
  }
  if (status == 0) {
    status = print(&run);
  }
  if (status != 0) {
    fprintf(stderr, "rayfix validate: %s\n", run.error.text);
  }
  arena_free(run.arena);
  buffer_free(&run.body);
  return exit_code(&run);
}

static int run(int argc, char **argv) {
  struct validate_flags given = {.input.namespace_name = "default"};
  struct documents documents = {.configuration = NULL};
  int status =
      flags_parse(&verb_validate, flags, sizeof flags / sizeof flags[0], &given, argc, argv);
  if (status == FLAGS_GO_ON) {
    status = documents_open(&verb_validate, &given.input, &documents);
  }
  if (status == FLAGS_GO_ON) {
    status = validate(&given, documents.configuration->admission, &documents.list);
  }
  documents_close(&documents);
  flag_texts_free(&given.input.files);
  return status;
}

const struct verb verb_validate = {
    .name = "validate",
    .summary = "say what the server would refuse in manifests, and why",
    .help =
        "Reads Kubernetes manifests and judges every RayCluster, RayJob, RayService, RayCronJob,\n"
        "PodDisruptionBudget, Pod and Node in them (also in a List) as the server would on\n"
        "creation. Other kinds are skipped and counted.\n"
        "\n"
        "Usage:\n"
        "  rayfix validate -f FILE|DIR|- [-o text|json|sarif|junit] [--warn-exit-code N]\n"
        "\n"
        "Flags:\n"
        "  -f, --filename PATH     YAML or JSON, with any number of documents; a directory stands\n"
        "                          for its *.yaml, *.yml and *.json; - is standard input;\n"
        "                          repeatable\n"
        "  -R, --recursive         also directories in the directory\n"
        "  -o, --output FORMAT     text    file:line: what, as a compiler does (the default)\n"
        "                          json    one object with all results\n"
        "                          sarif   SARIF 2.1.0, for code hosts\n"
        "                          junit   JUnit XML, for CI systems\n"
        "      --warn-exit-code N  the exit code when there are warnings and no denial; 0\n"
        "                          without it\n"
        "  -n, --namespace NAME    the namespace of objects that name none; \"default\" without\n"
        "                          it\n"
        "      --config FILE       the configuration of the server; the defaults without it\n"
        "  -h, --help              this text\n"
        "\n"
        "Exit code: 0 nothing is denied, 1 something is, 2 wrong flags, configuration or manifest\n"
        "(nothing is printed), 3 input/output.\n"
        "\n"
        "Example:\n"
        "  rayfix validate -f raycluster.yaml\n",
    .run = run,
};
