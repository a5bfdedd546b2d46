#include "admission/group_text.h"

#include "admission/json.h"

#define NAME_BYTES_MAX 63  // a DNS label, a label's value

struct text name_text(struct text name) {
  return text_cut(name, NAME_BYTES_MAX);
}

// A Pod is shown as one group without a place of its own (subject.h).
static bool is_pod(const struct group_view *group) {
  return group->path.len == 0;
}

struct text group_title(struct findings *findings, const struct group_view *group) {
  if (is_pod(group)) {
    return TEXT("pod");
  }
  if (group->is_head) {
    return TEXT("head group");
  }
  return findings_text(findings, "worker group '%.*s'", TEXT_ARG(name_text(group->name)));
}

struct text container_title(struct findings *findings, const struct group_view *group,
                            const struct container_view *container) {
  struct text name = name_text(json_text(container->name));
  if (is_pod(group)) {
    return findings_text(findings, "container '%.*s'", TEXT_ARG(name));
  }
  struct text title = group_title(findings, group);
  return findings_text(findings, "%.*s: container '%.*s'", TEXT_ARG(title), TEXT_ARG(name));
}

static size_t put_without_nul(char *to, struct text part) {
  for (size_t i = 0; i < part.len; i++) {
    to[i] = part.data[i] == '\0' ? '\1' : part.data[i];
  }
  return part.len;
}

// Two names that begin alike must not share a key: of a long one both ends and the length count,
// and a NUL inside ends nothing.
static struct text key_of_name(struct findings *findings, struct text name) {
  bool has_nul = name.len > 0 && memchr(name.data, '\0', name.len) != NULL;
  if (name.len <= NAME_BYTES_MAX && !has_nul) {
    return name;
  }
  char ends[2 * NAME_BYTES_MAX + 1];
  size_t tail = name.len < 2 * NAME_BYTES_MAX ? NAME_BYTES_MAX : name.len - NAME_BYTES_MAX;
  size_t len = put_without_nul(ends, text_slice(name, 0, NAME_BYTES_MAX));
  len += put_without_nul(ends + len, text_slice(name, tail, name.len));
  ends[len] = '\0';
  return findings_text(findings, "%s#%zu", ends, name.len);
}

struct text group_key(struct findings *findings, const struct group_view *group,
                      struct text thing) {
  const char *kind = group->is_head ? "head" : "worker";
  struct text name = key_of_name(findings, group->name);
  return findings_text(findings, "%s/%.*s/%.*s", kind, TEXT_ARG(name), TEXT_ARG(thing));
}

struct text container_key(struct findings *findings, const struct group_view *group,
                          const struct container_view *container, const char *thing) {
  struct text name = key_of_name(findings, json_text(container->name));
  return group_key(findings, group, findings_text(findings, "%.*s/%s", TEXT_ARG(name), thing));
}

struct text pod_spec_path(struct findings *findings, const struct group_view *group,
                          const char *child) {
  return findings_text(findings, "%.*s%sspec.%s", TEXT_ARG(group->pod_path),
                       group->pod_path.len > 0 ? "." : "", child);
}

struct text value_text(struct findings *findings, yyjson_val *value) {
  struct text text = name_text(json_scalar_text(value));
  if (text.data == NULL) {
    return text_of(json_type_name(value));
  }
  const char *quote = yyjson_is_str(value) ? "\"" : "";
  return findings_text(findings, "%s%.*s%s", quote, TEXT_ARG(text), quote);
}
