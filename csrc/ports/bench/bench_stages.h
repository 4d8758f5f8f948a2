/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BABYCRY_BENCH_STAGES_H
#define BABYCRY_BENCH_STAGES_H

#include "bench_stage.h"

/* The table: n rows, in the order of the report. */
const bench_stage *bench_stages(size_t *n);

#endif
