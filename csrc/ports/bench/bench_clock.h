/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BABYCRY_BENCH_CLOCK_H
#define BABYCRY_BENCH_CLOCK_H

#include <stdint.h>

uint64_t bench_wall_ns(void); /* of a clock that only goes forward */
uint64_t bench_cpu_ns(void);  /* processor time of this process, all threads */

/* An emulator that counts instructions notes its count whenever it comes here: before and after each call. */
void bench_mark(void);

#endif
