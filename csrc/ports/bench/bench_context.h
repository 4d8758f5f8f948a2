/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BABYCRY_BENCH_CONTEXT_H
#define BABYCRY_BENCH_CONTEXT_H

#include "bench_stage.h"

/* Gives back all that bench_take took. */
void bench_release(bench_context *context);

#endif
