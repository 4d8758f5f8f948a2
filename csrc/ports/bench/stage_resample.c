/* SPDX-License-Identifier: Apache-2.0
 *
 * resample: 10 ms of a clip that was recorded at 8 kHz, to 16 kHz. Proven: whole clips in uneven pieces give the
 * published bits, with every instruction set.
 */
#include <babycry/resample.h>

#include "../fnv1a.h"
#include "bench_data.h"
#include "bench_pieces.h"
#include "bench_rows.h"

#define IN_RATE 8000
#define HOP (IN_RATE / 100)
#define MOST_OUT 8192 /* of an uneven piece, and of the flush */

typedef struct resample {
    bc_resampler_tables tables;
    bc_resampler stream;
    void *ram;
    size_t ram_size;
    const int16_t *const *pieces;
    float out[MOST_OUT];
} resample;

static const char *prepare(bench_context *context) {
    resample *state = bench_take(context, sizeof *state);
    size_t tables_size = bc_resampler_tables_size(IN_RATE, BENCH_RATE);
    size_t ram_size = bc_resampler_ram_size(IN_RATE, BENCH_RATE);
    void *tables = bench_take(context, tables_size), *ram = bench_take(context, ram_size);
    if (state == NULL || tables == NULL || ram == NULL) {
        return "no memory";
    }
    context->state = state;
    state->ram = ram;
    state->ram_size = ram_size;
    context->sample_rate = IN_RATE;
    state->pieces = bench_pieces(context, IN_RATE, HOP, &context->n_items);
    if (state->pieces == NULL) {
        return "no memory";
    }
    bc_status status = bc_resampler_make_tables(&state->tables, IN_RATE, BENCH_RATE, tables, tables_size);
    if (status == BC_OK) {
        status = bc_resampler_init(&state->stream, &state->tables, ram, ram_size);
    }
    return status == BC_OK ? NULL : bc_status_string(status);
}

static size_t audio_samples(const bench_context *context, size_t item) {
    (void)context;
    (void)item;
    return HOP;
}

static const char *run(bench_context *context, size_t item) {
    resample *state = context->state;
    size_t n;
    bc_status status = bc_resampler_push(&state->stream, state->pieces[item], HOP, state->out, MOST_OUT, &n);
    return status == BC_OK ? NULL : bc_status_string(status);
}

static bc_status hash_clip(resample *state, const bench_clip *clip, uint64_t *hash) {
    uint32_t random = 1;
    size_t n;
    bc_status status = BC_OK;
    *hash = FNV1A_OF_NOTHING;
    for (size_t at = 0, piece; status == BC_OK && at < clip->n_samples; at += piece) {
        piece = bench_uneven(&random, clip->n_samples - at);
        status = bc_resampler_push(&state->stream, clip->samples + at, piece, state->out, MOST_OUT, &n);
        *hash = status == BC_OK ? fnv1a(state->out, n * sizeof *state->out, *hash) : *hash;
    }
    if (status == BC_OK) {
        status = bc_resampler_flush(&state->stream, state->out, MOST_OUT, &n);
        *hash = status == BC_OK ? fnv1a(state->out, n * sizeof *state->out, *hash) : *hash;
    }
    return status;
}

static const char *check(bench_context *context, bench_parity *parity) {
    resample *state = context->state;
    const char *isa;
    bc_status status = bc_resampler_init(&state->stream, &state->tables, state->ram, state->ram_size); /* anew */
    parity->part = "feature_hashes";
    parity->name = "resample";
    for (size_t k = 0; status == BC_OK && (isa = bc_resampler_isa_name(k)) != NULL; k++) {
        status = bc_resampler_use_isa(&state->stream, isa);
        parity->clips = 0;
        for (size_t i = 0; status == BC_OK && i < context->n_clips; i++) {
            uint64_t hash;
            const bench_clip *clip = &context->clips[i];
            if (clip->sample_rate == IN_RATE && (status = hash_clip(state, clip, &hash)) == BC_OK) {
                bench_compare(parity, clip->name, hash, isa);
                parity->clips++;
            }
        }
    }
    return status == BC_OK ? NULL : bc_status_string(status);
}

const bench_stage bench_stage_resample = {"resample", NULL, NULL, 1, prepare, audio_samples, run, check};
