/* SPDX-License-Identifier: Apache-2.0
 *
 * What machine the figures come from. A fact that cannot be read is null, never guessed.
 */
#ifndef BABYCRY_BENCH_MACHINE_H
#define BABYCRY_BENCH_MACHINE_H

#include "bench_json.h"

typedef struct bench_machine_state {
    double frequency_mhz, temperature_c, load_average; /* NAN: unknown */
    int throttled;                                     /* -1: unknown */
} bench_machine_state;

bench_machine_state bench_machine_now(void);

/* Of an emulator nothing but the architecture is said: the rest would be the host's. */
void bench_machine_record(bench_json *json, int emulated, int pinned_core, const bench_machine_state *before,
                          const bench_machine_state *after);

/* Reasons to distrust the timings, as elements of the array that is open. */
void bench_machine_warnings(bench_json *json, const bench_machine_state *before, const bench_machine_state *after);

/* Whether /proc/cpuinfo is of another family of processors than this program: then something emulates. */
int bench_machine_is_foreign(void);

int bench_machine_cores(void);

#endif
