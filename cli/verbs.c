#include <stddef.h>

#include "cli/verb.h"

extern const struct verb verb_serve;
extern const struct verb verb_review;
extern const struct verb verb_mutate;
extern const struct verb verb_validate;
extern const struct verb verb_rules;
extern const struct verb verb_explain;
extern const struct verb verb_audit;
extern const struct verb verb_doctor;
extern const struct verb verb_config;
extern const struct verb verb_certs;
extern const struct verb verb_version;

// In the order in which the list of verbs shows them.
const struct verb *const verbs[] = {
    &verb_serve, &verb_review, &verb_mutate, &verb_validate, &verb_rules,   &verb_explain,
    &verb_audit, &verb_doctor, &verb_config, &verb_certs,    &verb_version, NULL,
};
