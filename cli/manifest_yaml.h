#pragma once

#include <yaml.h>

#include "cli/manifest.h"

// Between manifest_yaml.c, which follows libyaml's events, and manifest_scalar.c.

// The JSON value of a scalar event in `doc`: a string, or a raw value (see manifest.h).
// 0, or an enum manifest_status with an error that says what, without a place.
int manifest_yaml_scalar(yyjson_mut_doc *doc, const yaml_event_t *event, yyjson_mut_val **ret_value,
                         struct error *error);

// The string that a scalar becomes as a mapping key.
int manifest_yaml_key(yyjson_mut_doc *doc, yyjson_mut_val *scalar, yyjson_mut_val **ret_key,
                      struct error *error);
