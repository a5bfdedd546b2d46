#include <stdio.h>
#include <stdlib.h>

#include "cli/creation.h"
#include "cli/diff.h"
#include "cli/documents.h"
#include "cli/fix.h"
#include "cli/verb.h"

extern const struct verb verb_mutate;

struct mutate_flags {
  struct document_flags input;
  int output;
  bool verbose;
};

enum { OUTPUT_YAML, OUTPUT_JSON, OUTPUT_PATCH, OUTPUT_DIFF };
static const char *const output_names[] = {[OUTPUT_YAML] = "yaml",
                                           [OUTPUT_JSON] = "json",
                                           [OUTPUT_PATCH] = "patch",
                                           [OUTPUT_DIFF] = "diff",
                                           NULL};

static const struct flag flags[] = {
    DOCUMENT_FLAGS(struct mutate_flags, input),
    {.letter = 'o',
     .name = "output",
     .kind = FLAG_NAME,
     .offset = offsetof(struct mutate_flags, output),
     .names = output_names},
    {.letter = 'v',
     .name = "verbose",
     .kind = FLAG_SWITCH,
     .offset = offsetof(struct mutate_flags, verbose)},
};

// Everything goes into `out` first: a mistake in the last file must not leave half of the objects
// in a pipe to kubectl.
struct run {
  const struct mutate_flags *given;
  struct fixer fixer;
  const struct manifest *manifest;  // that is being worked on
  struct buffer out;
  yyjson_mut_doc *json;  // -o json: the objects so far
  yyjson_mut_val *json_items;
  bool denied;
  bool differs;
  struct error error;
};

static int out_of_memory(struct run *run) {
  return error_set(&run->error, "out of memory");
}

// "pod/name: rules" on stderr.
static void report(const struct run *run, yyjson_mut_val *pod, enum fix_status status,
                   const struct decision *decision) {
  struct text name = creation_name(pod);
  fprintf(stderr, "pod/%.*s:", TEXT_ARG(name));
  if (status == FIX_DENIED) {
    fprintf(stderr, " denied: %.*s (%s:%zu)\n", TEXT_ARG(decision->message), run->manifest->file,
            run->manifest->line);
    return;
  }
  const char *separator = " ";
  for (size_t i = 0; i < decision->report_count; i++) {
    const struct rule_report *rule = &decision->reports[i];
    if (rule->result == RULE_APPLIED || rule->result == RULE_AUDITED) {
      fprintf(stderr, "%s%s%s", separator, rule->rule,
              rule->result == RULE_AUDITED ? " (audit)" : "");
      separator = ", ";
    }
  }
  if (separator[0] == ' ') {
    fprintf(stderr, " unchanged");
  }
  fprintf(stderr, decision->reason.len > 0 ? " (%.*s)\n" : "\n%.*s", TEXT_ARG(decision->reason));
  for (size_t i = 0; run->given->verbose && i < decision->report_count; i++) {
    const struct rule_report *rule = &decision->reports[i];
    fprintf(stderr, "  %s: %s, %zu operations%s%.*s\n", rule->rule, rule_result_names[rule->result],
            rule->operations, rule->note.len > 0 ? ": " : "", TEXT_ARG(rule->note));
  }
}

// -o patch: one line of JSON for each changed object.
static int put_patch(struct run *run, yyjson_mut_val *pod, const struct decision *decision) {
  struct buffer *out = &run->out;
  buffer_printf(out, "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"namespace\":");
  buffer_append_json_string(out, fix_namespace(&run->fixer, pod));
  buffer_printf(out, ",\"name\":");
  buffer_append_json_string(out, creation_name(pod));
  buffer_printf(out, ",\"file\":");
  buffer_append_json_string(out, text_of(run->manifest->file));
  buffer_printf(out, ",\"line\":%zu,\"patch\":", run->manifest->line);
  buffer_append_text(out, decision->patch);
  return buffer_append(out, "}\n", 2) ? 0 : out_of_memory(run);
}

// -o diff: old and new YAML of each changed object.
static int put_diff(struct run *run, yyjson_mut_val *before, yyjson_mut_val *after) {
  buffer_auto old_text = {.max = MANIFEST_OUTPUT_MAX};
  buffer_auto new_text = {.max = MANIFEST_OUTPUT_MAX};
  if (manifest_write_yaml(before, &old_text) != 0 || manifest_write_yaml(after, &new_text) != 0) {
    return out_of_memory(run);
  }
  struct text namespace_name = fix_namespace(&run->fixer, before);
  struct text name = creation_name(before);
  buffer_printf(&run->out, "--- a/pod/%.*s/%.*s\n+++ b/pod/%.*s/%.*s\n", TEXT_ARG(namespace_name),
                TEXT_ARG(name), TEXT_ARG(namespace_name), TEXT_ARG(name));
  int status = diff_unified((struct text){old_text.data, old_text.len},
                            (struct text){new_text.data, new_text.len}, &run->out);
  return status == 0 ? 0 : out_of_memory(run);
}

static int put_change(struct run *run, yyjson_mut_val *before, yyjson_mut_val *after,
                      const struct decision *decision) {
  run->differs = true;
  switch (run->given->output) {
    case OUTPUT_PATCH:
      return put_patch(run, before, decision);
    case OUTPUT_DIFF:
      return put_diff(run, before, after);
    default:
      return 0;
  }
}

// The object that takes the place of `object`: itself, the fixed one, or NULL when it was denied,
// since the API server would not store it either. -1 on failure.
static int fix_object(struct run *run, yyjson_mut_val *object, size_t depth,
                      yyjson_mut_val **ret_object);

// Fixes the items in place: each is taken off the front and put back at the end.
static int fix_items(struct run *run, yyjson_mut_val *items, size_t depth) {
  for (size_t i = yyjson_mut_arr_size(items); i > 0; i--) {
    yyjson_mut_val *item = yyjson_mut_arr_remove_first(items);
    yyjson_mut_val *fixed = NULL;
    if (fix_object(run, item, depth + 1, &fixed) != 0) {
      return -1;
    }
    if (fixed != NULL) {
      yyjson_mut_arr_append(items, fixed);
    }
  }
  return 0;
}

static int fix_object(struct run *run, yyjson_mut_val *object, size_t depth,
                      yyjson_mut_val **ret_object) {
  *ret_object = object;
  yyjson_mut_val *items = yyjson_mut_obj_get(object, "items");
  if (text_equals(manifest_text(object, "kind"), TEXT("List")) && yyjson_mut_is_arr(items) &&
      depth < MANIFEST_DEPTH_MAX) {
    return fix_items(run, items, depth);
  }
  if (!fix_is_pod(object)) {
    return 0;
  }
  struct decision decision;
  yyjson_mut_val *fixed = NULL;
  enum fix_status status =
      fix_pod(&run->fixer, run->manifest->doc, object, &fixed, &decision, &run->error);
  if (status == FIX_FAILED) {
    return error_wrap(&run->error, "%s:%zu", run->manifest->file, run->manifest->line);
  }
  report(run, object, status, &decision);
  if (status == FIX_DENIED) {
    run->denied = true;
    *ret_object = NULL;
    return 0;
  }
  if (status == FIX_CHANGED) {
    *ret_object = fixed;
    return put_change(run, object, fixed, &decision);
  }
  return 0;
}

static int put_document(struct run *run, yyjson_mut_val *object) {
  if (run->given->output == OUTPUT_YAML) {
    if (run->out.len > 0) {
      buffer_append_text(&run->out, TEXT("---\n"));
    }
    return manifest_write_yaml(object, &run->out) == 0 ? 0 : out_of_memory(run);
  }
  if (run->given->output == OUTPUT_JSON) {
    yyjson_mut_val *json = manifest_to_json(run->json, object);
    return yyjson_mut_arr_append(run->json_items, json) ? 0 : out_of_memory(run);
  }
  return 0;
}

// One object alone, several as a List, as kubectl prints them.
static int put_json(struct run *run) {
  size_t count = yyjson_mut_arr_size(run->json_items);
  if (count == 0) {
    return 0;
  }
  yyjson_mut_val *root = yyjson_mut_arr_get_first(run->json_items);
  if (count > 1) {
    root = yyjson_mut_obj(run->json);
    if (!yyjson_mut_obj_add_str(run->json, root, "apiVersion", "v1") ||
        !yyjson_mut_obj_add_str(run->json, root, "kind", "List") ||
        !yyjson_mut_obj_add_val(run->json, root, "items", run->json_items)) {
      return out_of_memory(run);
    }
  }
  return manifest_write_json(root, true, &run->out) == 0 ? 0 : out_of_memory(run);
}

static int fix_all(struct run *run, struct manifest_list *list) {
  run->json = yyjson_mut_doc_new(NULL);
  run->json_items = yyjson_mut_arr(run->json);
  if (run->json_items == NULL) {
    return out_of_memory(run);
  }
  for (size_t i = 0; i < list->count; i++) {
    run->manifest = &list->items[i];
    yyjson_mut_val *object = NULL;
    if (fix_object(run, yyjson_mut_doc_get_root(run->manifest->doc), 0, &object) != 0 ||
        (object != NULL && put_document(run, object) != 0)) {
      return -1;
    }
  }
  return run->given->output == OUTPUT_JSON ? put_json(run) : 0;
}

static int mutate(const struct mutate_flags *given, const struct admission_config *config,
                  struct manifest_list *list) {
  struct run run = {
      .given = given,
      .fixer = {.config = config, .namespace_name = given->input.namespace_name},
      .out = {.max = MANIFEST_OUTPUT_MAX},
  };
  run.fixer.arena = arena_new(ADMISSION_ARENA_FIRST, ADMISSION_ARENA_MAX);
  int status = run.fixer.arena == NULL ? out_of_memory(&run) : fix_all(&run, list);
  if (status == 0) {
    fwrite(run.out.len == 0 ? "" : run.out.data, 1, run.out.len, stdout);
  } else {
    fprintf(stderr, "rayfix mutate: %s\n", run.error.text);
  }
  arena_free(run.fixer.arena);
  yyjson_mut_doc_free(run.json);
  buffer_free(&run.out);
  if (status != 0) {
    return EXIT_IO;
  }
  return run.denied || (given->output == OUTPUT_DIFF && run.differs) ? EXIT_DENIED : EXIT_FINE;
}

static int run(int argc, char **argv) {
  struct mutate_flags given = {.output = OUTPUT_YAML, .input.namespace_name = "default"};
  struct documents documents = {.configuration = NULL};
  int status = flags_parse(&verb_mutate, flags, sizeof flags / sizeof flags[0], &given, argc, argv);
  if (status == FLAGS_GO_ON) {
    status = documents_open(&verb_mutate, &given.input, &documents);
  }
  if (status == FLAGS_GO_ON) {
    status = mutate(&given, documents.configuration->admission, &documents.list);
  }
  documents_close(&documents);
  flag_texts_free(&given.input.files);
  return status;
}

const struct verb verb_mutate = {
    .name = "mutate",
    .summary = "Fix the Pods in manifests; the output pipes into kubectl apply",
    .help =
        "Reads Kubernetes manifests, fixes the Pods in them (also in a List) as the server would\n"
        "on creation, and prints all objects. Everything that is no Pod passes through; comments\n"
        "are lost. Which rules acted on which Pod is told on standard error.\n"
        "\n"
        "Usage:\n"
        "  rayfix mutate -f FILE|DIR|- [-o yaml|json|patch|diff] [-n NAMESPACE] [--config FILE]\n"
        "\n"
        "Flags:\n"
        "  -f, --filename PATH   YAML or JSON, with any number of documents; a directory stands\n"
        "                        for its *.yaml, *.yml and *.json; - is standard input;\n"
        "                        repeatable\n"
        "  -R, --recursive       also directories in the directory\n"
        "  -o, --output FORMAT   yaml    all objects (the default)\n"
        "                        json    the object, or a List of several\n"
        "                        patch   a line of JSON for each changed Pod: apiVersion, kind,\n"
        "                                namespace, name, file, line, patch (RFC 6902)\n"
        "                        diff    a unified diff for each changed Pod\n"
        "  -n, --namespace NAME  the namespace of Pods that name none; \"default\" without it\n"
        "      --config FILE     the configuration of the server; the defaults without it\n"
        "  -v, --verbose         tell what every rule did\n"
        "  -h, --help            this text\n"
        "\n"
        "Exit code: 0 done, 1 a Pod was denied and is left out, or -o diff and something differs,\n"
        "2 wrong flags, configuration or manifest (nothing is printed), 3 input/output.\n"
        "\n"
        "Example:\n"
        "  rayfix mutate -f pod.yaml | kubectl apply -f -\n",
    .run = run,
};
