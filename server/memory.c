#include "server/memory.h"

#include <link.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

void memory_configure(void) {
  // Bodies and arenas above a megabyte are mapped and go back to the system at once; a fixed
  // value also stops glibc from raising it (mallopt(3)).
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  mallopt(M_TRIM_THRESHOLD, 2 << 20);
  mallopt(M_ARENA_MAX, 4);
}

// Start-up walks through some five megabytes of libcrypto and GnuTLS that serving never touches.
// Only segments that cannot have been written to: private mappings of files, so that dropping their
// pages loses nothing (madvise(2), MADV_DONTNEED).
static int drop_constant_pages(struct dl_phdr_info *object, size_t size, void *data) {
  (void)size;
  (void)data;
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  for (size_t i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
    if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) != 0) {
      continue;
    }
    uintptr_t start = (object->dlpi_addr + segment->p_vaddr + page - 1) / page * page;
    uintptr_t end = (object->dlpi_addr + segment->p_vaddr + segment->p_memsz) / page * page;
    if (start < end) {
      madvise((void *)start, end - start, MADV_DONTNEED);
    }
  }
  return 0;
}

void memory_settle(void) {
  malloc_trim(0);
  dl_iterate_phdr(drop_constant_pages, NULL);
}
