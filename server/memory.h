#pragma once

// Keeps the allocator from holding on to what large requests have used; first thing in the
// process.
void memory_configure(void);

// Gives back what only starting or reloading has needed: free heap, and pages of program text and
// constants, which the kernel reads again from its page cache should they be used again.
void memory_settle(void);
