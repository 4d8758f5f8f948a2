/* SPDX-License-Identifier: Apache-2.0
 *
 * The record of bench/babycry_bench/schema/report.schema.json, version 2.
 */
#ifndef BABYCRY_BENCH_RECORD_H
#define BABYCRY_BENCH_RECORD_H

#include "bench_json.h"
#include "bench_machine.h"
#include "bench_measure.h"

/* All that a run found out. */
typedef struct bench_results {
    const bench_options *options;
    bench_timing *timings;
    bench_parity *parities; /* [n]; part NULL where a stage proves nothing */
    size_t n;
    bench_machine_state before, after;
    uint64_t peak_rss_bytes; /* when all was timed; 0: unknown */
} bench_results;

void bench_record(bench_json *json, const bench_results *results);

#endif
