#include "admission/gcs_address.h"

#include "admission/json.h"

static bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// [A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?, at most 253 long.
static bool is_host(struct text host) {
  if (host.len == 0 || host.len > 253 || !is_alphanumeric(host.data[0]) ||
      !is_alphanumeric(host.data[host.len - 1])) {
    return false;
  }
  for (size_t i = 0; i < host.len; i++) {
    if (!is_alphanumeric(host.data[i]) && host.data[i] != '.' && host.data[i] != '-') {
      return false;
    }
  }
  return true;
}

static bool is_port(struct text port) {
  unsigned long long number = 0;
  return port.len <= 5 && text_to_unsigned(port, 65535, &number) && number > 0;
}

bool gcs_address_is_local(const struct gcs_address *address) {
  return text_equals_ignoring_case(address->host, TEXT("localhost")) ||
         text_starts_with(address->host, TEXT("127.")) ||
         text_equals(address->host, TEXT("0.0.0.0"));
}

// rayStartParams.port is a free string, "$PORT" for example, so anything may stand there.
bool gcs_address_parse(struct text text, struct gcs_address *ret_address) {
  size_t colon = text.len;
  while (colon > 0 && text.data[colon - 1] != ':') {
    colon--;
  }
  if (colon == 0) {
    return false;
  }
  struct gcs_address address = {text_slice(text, 0, colon - 1), text_slice(text, colon, text.len)};
  if (!is_host(address.host) || !is_port(address.port)) {
    return false;
  }
  *ret_address = address;
  return true;
}

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// The word of a shell line that starts at `from`. KubeRay's second one ends in a semicolon.
static struct text word_at(struct text line, size_t from) {
  size_t end = from;
  while (end < line.len && !is_blank(line.data[end]) && line.data[end] != ';') {
    end++;
  }
  return text_slice(line, from, end);
}

// What a search for an address has come to: every word that is found must be the same HOST:PORT.
struct search {
  bool found;
  bool bad;
  struct gcs_address address;
};

static void search_add(struct search *search, struct text word) {
  struct gcs_address address;
  if (!gcs_address_parse(word, &address)) {
    search->bad = true;
  } else if (!search->found) {
    search->address = address;
  } else if (!text_equals(address.host, search->address.host) ||
             !text_equals(address.port, search->address.port)) {
    search->bad = true;
  }
  search->found = true;
}

static bool search_result(const struct search *search, struct gcs_address *ret_address) {
  if (!search->found || search->bad) {
    return false;
  }
  *ret_address = search->address;
  return true;
}

bool gcs_address_in_script(struct text script, struct text prefix,
                           struct gcs_address *ret_address) {
  struct search search = {0};
  for (size_t at = text_find(script, prefix, 0); at < script.len;
       at = text_find(script, prefix, at + 1)) {
    search_add(&search, word_at(script, at + prefix.len));
  }
  return search_result(&search, ret_address);
}

// Every `--address=WORD` and `--address WORD` in one string of a command.
static void search_option(struct text line, struct search *search) {
  const struct text option = TEXT("--address");
  for (size_t at = text_find(line, option, 0); at < line.len;
       at = text_find(line, option, at + 1)) {
    size_t value = at + option.len;
    bool starts_word = at == 0 || is_blank(line.data[at - 1]);
    if (!starts_word || value >= line.len ||
        (line.data[value] != '=' && !is_blank(line.data[value]))) {
      continue;
    }
    value++;
    while (value < line.len && is_blank(line.data[value])) {
      value++;
    }
    search_add(search, word_at(line, value));
  }
}

static void search_arguments(yyjson_val *array, struct search *search) {
  bool is_value = false;  // `--address` was the argument before
  yyjson_arr_iter iter = yyjson_arr_iter_with(array);
  for (yyjson_val *item = yyjson_arr_iter_next(&iter); item != NULL;
       item = yyjson_arr_iter_next(&iter)) {
    struct text argument = json_text(item);
    if (is_value) {
      search_add(search, argument);
    } else {
      search_option(argument, search);
    }
    is_value = !is_value && text_equals(argument, TEXT("--address"));
  }
}

bool gcs_address_of_ray(const struct container_view *ray, struct gcs_address *ret_address) {
  struct env_value address = container_env(ray, TEXT("RAY_ADDRESS"));
  struct env_value host = container_env(ray, TEXT("FQ_RAY_IP"));
  struct env_value port = container_env(ray, TEXT("RAY_PORT"));
  if (address.kind == ENV_INDIRECT) {
    return false;
  }
  if (address.value.len > 0) {
    return gcs_address_parse(address.value, ret_address);
  }
  if (host.kind == ENV_INDIRECT || host.value.len > 0) {
    *ret_address = (struct gcs_address){host.value, TEXT("6379")};
    if (port.kind == ENV_INDIRECT || port.value.len > 0) {
      ret_address->port = port.value;
    }
    return is_host(ret_address->host) && is_port(ret_address->port);
  }
  struct search search = {0};
  search_arguments(ray->command, &search);
  search_arguments(ray->args, &search);
  return search_result(&search, ret_address);
}
