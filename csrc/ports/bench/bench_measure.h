/* SPDX-License-Identifier: Apache-2.0
 *
 * Warm-up, then blocks of calls, one stage after the other, in rounds: a machine that slows down half-way slows
 * all of them alike.
 */
#ifndef BABYCRY_BENCH_MEASURE_H
#define BABYCRY_BENCH_MEASURE_H

#include "bench_options.h"
#include "bench_stage.h"

/* One stage and what was measured of it. */
typedef struct bench_timing {
    bench_context context;
    const char *failure; /* NULL, or why the stage is left out */
    double *ms;          /* [n] of each counted call */
    double *audio_s;     /* [n] */
    size_t n, room;
    double *round_ms;    /* [n_rounds] medians */
    size_t n_rounds;
    size_t warmup;
    uint64_t cpu_ns;     /* of all blocks, warm-up left out */
} bench_timing;

/* Makes a stage ready. */
void bench_prepare(bench_timing *timing, const bench_options *options);

/* One block: until the time is over, within the limits of calls. */
void bench_block(bench_timing *timing, const bench_options *options);

/* Calls between marks, without a clock: max_calls of them, or fewer that answer for 20 s of audio, but not fewer
 * than min_calls. */
void bench_marked_calls(bench_timing *timing, const bench_options *options);

void bench_forget(bench_timing *timing);

#endif
