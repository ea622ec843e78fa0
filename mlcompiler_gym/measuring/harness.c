/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linked into a program whose runs are measured: from before main to its exit,
 * the dynamic linker and the start of the process left out. The last line that
 * the program prints is then HARNESS_MARK, nanoseconds of the clock,
 * nanoseconds of processor time, and the events that HARNESS_EVENTS names, in
 * user mode, by the processor's own counters. Instead of a count, there is
 * minus errno where the kernel does not have it.
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

#ifndef HARNESS_EVENTS
#define HARNESS_EVENTS
#endif

/* The one at the end, which is not counted, is there because C has no empty
 * array. */
static const unsigned long long events[] = {HARNESS_EVENTS 0};
enum { EVENTS = sizeof(events) / sizeof(*events) - 1 };
static long long counters[EVENTS + 1]; /* descriptors, or minus errno */
static struct timespec clock_began, cpu_began;

static long long since(const struct timespec *began, clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (now.tv_sec - began->tv_sec) * 1000000000LL + now.tv_nsec -
         began->tv_nsec;
}

static long long open_counter(unsigned long long config) {
  struct perf_event_attr event;
  memset(&event, 0, sizeof(event));
  event.size = sizeof(event);
  event.type = PERF_TYPE_HARDWARE;
  event.config = config;
  event.read_format =
      PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
  event.disabled = 1;
  event.exclude_kernel = 1;
  event.exclude_hv = 1;
  const long counter = syscall(SYS_perf_event_open, &event, 0, -1, -1, 0);
  return counter < 0 ? -errno : counter;
}

static long long read_counter(long long counter) {
  struct {
    unsigned long long count, enabled, running;
  } seen;
  if (counter < 0)
    return counter;
  ioctl(counter, PERF_EVENT_IOC_DISABLE, 0);
  if (read(counter, &seen, sizeof(seen)) != sizeof(seen))
    return -EIO;
  /* Others had the processor's counter for a part of the time. */
  if (seen.running < seen.enabled)
    return -EBUSY;
  return seen.count;
}

__attribute__((constructor)) static void begin(void) {
  for (int i = 0; i < EVENTS; i++)
    counters[i] = open_counter(events[i]);
  for (int i = 0; i < EVENTS; i++)
    if (counters[i] >= 0)
      ioctl(counters[i], PERF_EVENT_IOC_ENABLE, 0);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu_began);
  clock_gettime(CLOCK_MONOTONIC, &clock_began);
}

__attribute__((destructor)) static void end(void) {
  const long long wall = since(&clock_began, CLOCK_MONOTONIC);
  const long long cpu = since(&cpu_began, CLOCK_PROCESS_CPUTIME_ID);
  char line[64 + 24 * (EVENTS + 2)];
  int length = sprintf(line, "%s %lld %lld", HARNESS_MARK, wall, cpu);
  for (int i = 0; i < EVENTS; i++)
    length += sprintf(line + length, " %lld", read_counter(counters[i]));
  line[length++] = '\n';
  /* What the program has printed must come before the line. */
  fflush(NULL);
  if (write(STDOUT_FILENO, line, length) != length)
    _exit(126);
}
