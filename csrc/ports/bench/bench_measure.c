/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_measure.h"

#include <stdlib.h>
#include <string.h>

#include "bench_clock.h"
#include "bench_context.h"
#include "bench_statistics.h"

#define ENOUGH_AUDIO_S 20.0 /* under an emulator */

void bench_prepare(bench_timing *timing, const bench_options *options) {
    bench_context *context = &timing->context;
    timing->failure = context->stage->prepare(context);
    if (timing->failure != NULL || !context->stage->timed) {
        return;
    }
    if (context->n_items == 0) {
        timing->failure = "no audio for it";
        return;
    }
    timing->room = (size_t)options->max_calls * (options->instructions ? 1 : options->rounds);
    timing->ms = calloc(timing->room, sizeof *timing->ms);
    timing->audio_s = calloc(timing->room, sizeof *timing->audio_s);
    timing->round_ms = calloc(options->rounds, sizeof *timing->round_ms);
    if (timing->ms == NULL || timing->audio_s == NULL || timing->round_ms == NULL) {
        timing->failure = "no memory";
    }
}

static void warm_up(bench_timing *timing, const bench_options *options) {
    bench_context *context = &timing->context;
    for (uint32_t i = 0; i < options->warmup && timing->failure == NULL; i++) {
        timing->failure = context->stage->run(context, (timing->n + i) % context->n_items);
    }
    timing->warmup += options->warmup;
}

static void count_call(bench_timing *timing, size_t item, double ms) {
    const bench_context *context = &timing->context;
    timing->ms[timing->n] = ms;
    timing->audio_s[timing->n] = (double)context->stage->audio_samples(context, item) / (double)context->sample_rate;
    timing->n++;
}

void bench_block(bench_timing *timing, const bench_options *options) {
    bench_context *context = &timing->context;
    size_t first = timing->n, calls = 0;
    warm_up(timing, options);
    uint64_t cpu = bench_cpu_ns(), end = bench_wall_ns() + (uint64_t)options->block_ms * 1000000u, stop = 0;
    while (timing->failure == NULL &&
           (calls < options->min_calls || (calls < options->max_calls && stop < end))) {
        size_t item = timing->n % context->n_items;
        uint64_t start = bench_wall_ns();
        timing->failure = context->stage->run(context, item);
        stop = bench_wall_ns();
        count_call(timing, item, (double)(stop - start) * 1e-6);
        calls++;
    }
    timing->cpu_ns += bench_cpu_ns() - cpu;
    double *sorted = malloc(calls * sizeof *sorted);
    if (sorted == NULL || timing->failure != NULL) {
        timing->failure = timing->failure != NULL ? timing->failure : "no memory";
        free(sorted);
        return;
    }
    memcpy(sorted, timing->ms + first, calls * sizeof *sorted);
    bench_sort(sorted, calls);
    timing->round_ms[timing->n_rounds++] = bench_percentile(sorted, calls, 50.0);
    free(sorted);
}

void bench_marked_calls(bench_timing *timing, const bench_options *options) {
    bench_context *context = &timing->context;
    warm_up(timing, options);
    double audio_s = 0.0;
    while (timing->failure == NULL &&
           (timing->n < options->min_calls || (timing->n < options->max_calls && audio_s < ENOUGH_AUDIO_S))) {
        size_t item = timing->n % context->n_items;
        bench_mark();
        timing->failure = context->stage->run(context, item);
        bench_mark();
        count_call(timing, item, 0.0);
        audio_s += timing->audio_s[timing->n - 1];
    }
}

void bench_forget(bench_timing *timing) {
    bench_release(&timing->context);
    free(timing->ms);
    free(timing->audio_s);
    free(timing->round_ms);
}
