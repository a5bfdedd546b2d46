#include "server/process_metrics.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "server/prometheus.h"

#define FILE_TEXT_MAX 1024

// The first bytes of a small file, NUL-terminated; empty when it cannot be read.
static void read_small_file(const char *path, char text[FILE_TEXT_MAX]) {
  text[0] = '\0';
  FILE *file = fopen(path, "re");
  if (file == NULL) {
    return;
  }
  size_t len = fread(text, 1, FILE_TEXT_MAX - 1, file);
  text[len] = '\0';
  fclose(file);
}

static int64_t resident_bytes(void) {
  char text[FILE_TEXT_MAX];
  read_small_file("/proc/self/statm", text);
  int64_t pages = 0;
  return sscanf(text, "%*d %" SCNd64, &pages) == 1 ? pages * sysconf(_SC_PAGESIZE) : 0;
}

// Seconds since the epoch; proc(5): field 22 of stat counts clock ticks since boot.
static double start_time(void) {
  char text[FILE_TEXT_MAX];
  read_small_file("/proc/self/stat", text);
  const char *after_name = strrchr(text, ')');
  unsigned long long ticks = 0;
  if (after_name == NULL ||
      sscanf(after_name,
             ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
             &ticks) != 1) {
    return 0;
  }
  struct timespec now;
  struct timespec since_boot;
  clock_gettime(CLOCK_REALTIME, &now);
  clock_gettime(CLOCK_BOOTTIME, &since_boot);
  return (double)(now.tv_sec - since_boot.tv_sec) + (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static int64_t open_files(void) {
  DIR *directory = opendir("/proc/self/fd");
  if (directory == NULL) {
    return 0;
  }
  int64_t count = -1;  // the one that reads the folder
  for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    count += entry->d_name[0] != '.';
  }
  closedir(directory);
  return count;
}

void process_metrics_write(struct buffer *out) {
  struct rusage usage = {0};
  getrusage(RUSAGE_SELF, &usage);
  struct rlimit files = {0};
  getrlimit(RLIMIT_NOFILE, &files);
  prometheus_family(out, "process_cpu_seconds_total", "counter",
                    "Total user and system CPU time spent in seconds.");
  prometheus_number(out, "process_cpu_seconds_total", NULL,
                    (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                        (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
  prometheus_family(out, "process_resident_memory_bytes", "gauge",
                    "Resident memory size in bytes.");
  prometheus_integer(out, "process_resident_memory_bytes", NULL, resident_bytes());
  prometheus_family(out, "process_open_fds", "gauge", "Number of open file descriptors.");
  prometheus_integer(out, "process_open_fds", NULL, open_files());
  prometheus_family(out, "process_max_fds", "gauge", "Maximum number of open file descriptors.");
  prometheus_integer(out, "process_max_fds", NULL, (int64_t)files.rlim_cur);
  prometheus_family(out, "process_start_time_seconds", "gauge",
                    "Start time of the process since unix epoch in seconds.");
  prometheus_number(out, "process_start_time_seconds", NULL, start_time());
}
