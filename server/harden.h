#pragma once

// What a process can give up by itself (protocol §7): new privileges through exec, being read by
// ptrace and core dumps, which would hold the private key. Failures are logged, not fatal.
void harden_process(void);

// Lets the process open so many files more than it has open now, as far as the hard limit goes.
void harden_raise_files(unsigned long wanted);
