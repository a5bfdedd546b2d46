#pragma once

#include <stdbool.h>

#include "certs/openssl.h"

// The certificates in base64 of PEM, as Secrets and caBundles hold them; *ret_all is false if there
// was something else. New; NULL if there is none.
STACK_OF(X509) * doctor_pem(const char *base64, bool *ret_all);
