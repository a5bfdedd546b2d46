#include "admission/group_text.h"

#include "admission/json.h"

#define NAME_BYTES_MAX 63  // a DNS label, a label's value

struct text name_text(struct text name) {
  if (name.len <= NAME_BYTES_MAX) {
    return name;
  }
  size_t len = NAME_BYTES_MAX;
  while (len > 0 && ((unsigned char)name.data[len] & 0xC0) == 0x80) {
    len--;
  }
  return text_slice(name, 0, len);
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

struct text group_key(struct findings *findings, const struct group_view *group,
                      struct text thing) {
  const char *kind = group->is_head ? "head" : "worker";
  return findings_text(findings, "%s/%.*s/%.*s", kind, TEXT_ARG(name_text(group->name)),
                       TEXT_ARG(thing));
}

struct text container_key(struct findings *findings, const struct group_view *group,
                          const struct container_view *container, const char *thing) {
  struct text name = name_text(json_text(container->name));
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
