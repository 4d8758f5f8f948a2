/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_clock.h"

#include <time.h>

static uint64_t read_ns(clockid_t clock) {
    struct timespec now = {0, 0};
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t bench_wall_ns(void) { return read_ns(CLOCK_MONOTONIC); }

uint64_t bench_cpu_ns(void) { return read_ns(CLOCK_PROCESS_CPUTIME_ID); }

/* Aligned, so that it lies in one page of memory and is entered at one place. */
__attribute__((noinline, aligned(64))) void bench_mark(void) { __asm__ volatile("" ::: "memory"); }
