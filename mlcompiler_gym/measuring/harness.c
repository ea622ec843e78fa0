/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linked into a program whose runs are measured: from before main to its exit, the
 * dynamic linker and the start of the process left out. The last line that the program
 * prints is then HARNESS_MARK, nanoseconds of the clock, nanoseconds of processor time,
 * and instructions in user mode by the processor's own counter, or minus errno where
 * the kernel does not have that.
 *
 * A program that ends by a signal or by _exit prints no such line.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int counter = -1;
static long long counter_error;
static struct timespec clock_began, cpu_began;

static long long since(const struct timespec *began, clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (now.tv_sec - began->tv_sec) * 1000000000LL + now.tv_nsec -
         began->tv_nsec;
}

__attribute__((constructor)) static void begin(void) {
#ifdef HARNESS_COUNTS
  struct perf_event_attr event;
  memset(&event, 0, sizeof(event));
  event.size = sizeof(event);
  event.type = PERF_TYPE_HARDWARE;
  event.config = PERF_COUNT_HW_INSTRUCTIONS;
  event.disabled = 1;
  event.exclude_kernel = 1;
  event.exclude_hv = 1;
  counter = syscall(SYS_perf_event_open, &event, 0, -1, -1, 0);
  if (counter < 0)
    counter_error = errno;
  else
    ioctl(counter, PERF_EVENT_IOC_ENABLE, 0);
#else
  counter_error = ENOSYS;
#endif
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu_began);
  clock_gettime(CLOCK_MONOTONIC, &clock_began);
}

__attribute__((destructor)) static void end(void) {
  const long long wall = since(&clock_began, CLOCK_MONOTONIC);
  const long long cpu = since(&cpu_began, CLOCK_PROCESS_CPUTIME_ID);
  long long instructions = -counter_error;
  if (counter >= 0) {
    ioctl(counter, PERF_EVENT_IOC_DISABLE, 0);
    if (read(counter, &instructions, sizeof(instructions)) !=
        sizeof(instructions))
      instructions = -EIO;
  }
  char line[128];
  const int length = snprintf(line, sizeof(line), "%s %lld %lld %lld\n",
                              HARNESS_MARK, wall, cpu, instructions);
  /* What the program has printed is to come before it. */
  fflush(NULL);
  if (write(STDOUT_FILENO, line, length) != length)
    _exit(126);
}
