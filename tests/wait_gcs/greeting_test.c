#include "wait-gcs/greeting.h"

#include <string.h>

#include "tests/unit/suite.h"

static enum verdict judge(enum wait_mode mode, bool asked, const char *bytes, size_t count) {
  return greeting_judge(mode, asked, (const unsigned char *)bytes, count);
}

// What Ray 2.46's GCS says first, and the handshake record of a TLS server.
#define SETTINGS "\0\0\x18\4\0\0\0\0\0\0\4\0\x40"
#define SERVER_HELLO "\x16\3\3\0\x7a"
#define ALERT "\x15\3\3\0\2\2\x28"

START_TEST(settings_are_a_gcs_when_nine_bytes_are_there) {
  for (size_t count = 0; count < 9; count++) {
    ck_assert_int_eq(judge(WAIT_H2, false, SETTINGS, count), VERDICT_MORE);
    ck_assert_int_eq(judge(WAIT_AUTO, true, SETTINGS, count), VERDICT_MORE);
  }
  ck_assert_int_eq(judge(WAIT_H2, false, SETTINGS, 9), VERDICT_READY);
  ck_assert_int_eq(judge(WAIT_AUTO, false, SETTINGS, 9), VERDICT_READY);
  ck_assert_int_eq(judge(WAIT_AUTO, true, SETTINGS, 9), VERDICT_READY);
  // Longer than 65535: the third byte of the length counts, too, and is not looked at.
  ck_assert_int_eq(judge(WAIT_H2, false, "\1\0\0\4\0\0\0\0\0", 9), VERDICT_READY);
}
END_TEST

START_TEST(other_frames_are_not) {
  const char *const others[] = {
      "\0\0\0\0\0\0\0\0\0",        // DATA
      "\0\0\0\4\1\0\0\0\0",        // SETTINGS that acknowledges
      "\0\0\0\4\0\x80\0\0\0",      // the reserved bit
      "\0\0\0\4\0\0\0\0\1",        // of stream 1
      "\0\0\x08\7\0\0\0\0\0",      // GOAWAY
      "HTTP/1.1 ",                 // a proxy
      "-ERR unkn",                 // Redis
      "\x16\3\3\0\x7a\2\0\0\x76",  // TLS
  };
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    ck_assert_int_eq(judge(WAIT_H2, false, others[i], 9), VERDICT_OTHER);
  }
  ck_assert_int_eq(judge(WAIT_H2, false, "HTTP", 4), VERDICT_OTHER);
}
END_TEST

START_TEST(tls_servers_answer_with_a_record) {
  ck_assert_int_eq(judge(WAIT_TLS, true, SERVER_HELLO, 0), VERDICT_MORE);
  ck_assert_int_eq(judge(WAIT_TLS, true, SERVER_HELLO, 1), VERDICT_MORE);
  ck_assert_int_eq(judge(WAIT_TLS, true, SERVER_HELLO, 2), VERDICT_READY);
  ck_assert_int_eq(judge(WAIT_TLS, true, ALERT, 5), VERDICT_READY);
  ck_assert_int_eq(judge(WAIT_TLS, true, "\x17\3\3", 3), VERDICT_OTHER);
  ck_assert_int_eq(judge(WAIT_TLS, true, "\x16\2", 2), VERDICT_OTHER);
  ck_assert_int_eq(judge(WAIT_TLS, true, SETTINGS, 1), VERDICT_OTHER);
  ck_assert_int_eq(judge(WAIT_TLS, true, "H", 1), VERDICT_OTHER);
}
END_TEST

START_TEST(auto_takes_both_but_tls_only_when_asked) {
  ck_assert_int_eq(judge(WAIT_AUTO, true, SERVER_HELLO, 5), VERDICT_READY);
  ck_assert_int_eq(judge(WAIT_AUTO, false, SERVER_HELLO, 5), VERDICT_OTHER);
  ck_assert_int_eq(judge(WAIT_AUTO, true, "HTTP", 4), VERDICT_OTHER);
}
END_TEST

// RFC 8446 section 4.1.2: every length in the message must fit the next.
START_TEST(client_hello_is_whole) {
  const unsigned char *hello = client_hello;
  size_t size = client_hello_size;
  ck_assert_uint_eq(size, 5 + (size_t)(hello[3] << 8 | hello[4]));
  ck_assert_uint_eq(size, 9 + (size_t)(hello[6] << 16 | hello[7] << 8 | hello[8]));
  size_t at = 9 + 2 + 32;
  at += 1 + (size_t)hello[at];
  at += 2 + (size_t)(hello[at] << 8 | hello[at + 1]);
  at += 1 + (size_t)hello[at];
  ck_assert_uint_eq(size, at + 2 + (size_t)(hello[at] << 8 | hello[at + 1]));
  for (at += 2; at < size; at += 4 + (size_t)(hello[at + 2] << 8 | hello[at + 3])) {
    ck_assert_uint_le(at + 4, size);
  }
  ck_assert_uint_eq(at, size);
}
END_TEST

static void add_tests(TCase *tcase) {
  tcase_add_test(tcase, settings_are_a_gcs_when_nine_bytes_are_there);
  tcase_add_test(tcase, other_frames_are_not);
  tcase_add_test(tcase, tls_servers_answer_with_a_record);
  tcase_add_test(tcase, auto_takes_both_but_tls_only_when_asked);
  tcase_add_test(tcase, client_hello_is_whole);
}

int main(void) {
  return run_suite("wait-gcs greeting", add_tests);
}
