#include "wait-gcs/greeting.h"

// RFC 9113 section 4.1: length (3 bytes), type, flags, stream (4 bytes). Section 3.4: the first
// frame of a server is SETTINGS, which is type 4, of stream 0; flag 1 would be an acknowledgement.
static enum verdict judge_settings(const unsigned char *bytes, size_t count) {
  for (size_t i = 3; i < count && i < GREETING_MAX; i++) {
    if (bytes[i] != (i == 3 ? 4 : 0)) {
      return VERDICT_OTHER;
    }
  }
  return count < GREETING_MAX ? VERDICT_MORE : VERDICT_READY;
}

// RFC 8446 section 5.1: type of the record, then a version that begins with 3. A ServerHello is a
// handshake (22); an alert (21) comes from a TLS server, too, one that wants other parameters.
static bool is_tls_record(unsigned char type) {
  return type == 0x16 || type == 0x15;
}

static enum verdict judge_record(const unsigned char *bytes, size_t count) {
  if (count > 1) {
    return is_tls_record(bytes[0]) && bytes[1] == 3 ? VERDICT_READY : VERDICT_OTHER;
  }
  return count == 0 || is_tls_record(bytes[0]) ? VERDICT_MORE : VERDICT_OTHER;
}

enum verdict greeting_judge(enum wait_mode mode, bool asked, const unsigned char *bytes,
                            size_t count) {
  switch (mode) {
    case WAIT_TCP:
      return VERDICT_READY;
    case WAIT_TLS:
      return judge_record(bytes, count);
    case WAIT_H2:
      return judge_settings(bytes, count);
    case WAIT_AUTO:
    default:
      // A slow server's SETTINGS may arrive after it was asked for TLS.
      return asked && count > 0 && is_tls_record(bytes[0]) ? judge_record(bytes, count)
                                                           : judge_settings(bytes, count);
  }
}
