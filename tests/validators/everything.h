#pragma once

#include "admission/config.h"

// A configuration in which every validator is on and refuses, Pods too. It is apart from tests that
// use jansson, since those cannot include rule.h. Free as any configuration.
struct admission_config *everything_config(void);
