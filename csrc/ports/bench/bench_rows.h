/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of the table, each from the file stage_NAME.c. bench_stages.c says which there are.
 */
#ifndef BABYCRY_BENCH_ROWS_H
#define BABYCRY_BENCH_ROWS_H

#include "bench_stage.h"

#define BENCH_RATE 16000                        /* Hz, at which the front-ends hear */
#define BENCH_WINDOW_SAMPLES (2 * BENCH_RATE)   /* of the bundled models */
#define BENCH_PIPELINE_PROFILE "babycry"        /* theirs */
#define BENCH_INTEGER_SUFFIX " (integer)"

extern const bench_stage bench_stage_capture;
extern const bench_stage bench_stage_resample;
extern const bench_stage bench_stage_pipeline;

/* Front-ends lack profile, and whether they are timed. */
extern const bench_stage bench_stage_frontend_hop;
extern const bench_stage bench_stage_frontend_window;
extern const bench_stage bench_stage_frontend_clip;
extern const bench_stage bench_stage_integer_hop;
extern const bench_stage bench_stage_integer_clip;

#endif
