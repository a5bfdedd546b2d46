#pragma once

#include <time.h>

#include "certs/certs.h"
#include "certs/openssl.h"

// Certificates in words.

// Seconds since 1970; -1 for a time that cannot be read.
time_t certs_time(const ASN1_TIME *time);

// "CN=rayfix", in ASCII: other bytes are escaped as RFC 4514 says.
void certs_describe_name(const X509_NAME *name, char *text, size_t size);

// The DNS names and addresses of `cert`, separated by ", "; ends with "..." if there is no room.
void certs_describe_sans(X509 *cert, char *text, size_t size);

// Fills everything in *pair that tells about the leaf, not the PEM.
void certs_describe(X509 *leaf, struct certs_pair *pair);
