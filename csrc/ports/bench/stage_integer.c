/* SPDX-License-Identifier: Apache-2.0
 *
 * frontend_hop and frontend_clip by integers alone, "PROFILE (integer)": int16 rows. Proven: every clip's features
 * have the published bits, and a stream in uneven pieces has those of the whole clip.
 */
#include <babycry/integer.h>

#include <stdio.h>
#include <string.h>

#include "../fnv1a.h"
#include "bench_data.h"
#include "bench_pieces.h"
#include "bench_rows.h"

typedef struct integer {
    bc_integer_tables tables;
    bc_integer fe;
    const int16_t *const *pieces;
    size_t hop;
    const bench_clip **timed_clips;
    int16_t *features, *streamed;
    size_t max_frames;
} integer;

static bc_status configure(const char *name, bc_frontend_config *cfg) {
    char profile[64];
    snprintf(profile, sizeof profile, "%.*s", (int)(strlen(name) - strlen(BENCH_INTEGER_SUFFIX)), name);
    bc_status status = bc_frontend_profile(cfg, profile);
    cfg->normalize = BC_NORMALIZE_NONE;
    return status;
}

static const char *prepare(bench_context *context) {
    bc_frontend_config cfg;
    integer *state = bench_take(context, sizeof *state);
    bc_status status = configure(context->stage->profile, &cfg);
    if (state == NULL || status != BC_OK) {
        return state == NULL ? "no memory" : bc_status_string(status);
    }
    context->state = state;
    context->sample_rate = BENCH_RATE;
    state->hop = (size_t)cfg.hop_length;
    size_t size = bc_integer_tables_size(&cfg);
    void *tables = bench_take(context, size);
    if (tables == NULL || (status = bc_integer_make_tables(&cfg, &state->tables, tables, size)) != BC_OK) {
        return tables == NULL ? "no memory" : bc_status_string(status);
    }
    size = bc_integer_ram_size(&state->tables);
    void *ram = bench_take(context, size);
    if (ram == NULL || (status = bc_integer_init(&state->fe, &state->tables, ram, size)) != BC_OK) {
        return ram == NULL ? "no memory" : bc_status_string(status);
    }
    size_t longest = 0;
    for (size_t i = 0; i < context->n_clips; i++) {
        longest = context->clips[i].n_samples > longest ? context->clips[i].n_samples : longest;
    }
    state->max_frames = bc_integer_frame_count(&state->fe, longest);
    size = state->max_frames * bc_integer_n_features(&state->fe) * sizeof *state->features;
    state->features = bench_take(context, size);
    state->streamed = bench_take(context, size);
    state->timed_clips = bench_take(context, context->n_clips * sizeof *state->timed_clips);
    return state->features == NULL || state->streamed == NULL || state->timed_clips == NULL ? "no memory" : NULL;
}

static const char *prepare_hop(bench_context *context) {
    const char *failure = prepare(context);
    integer *state = context->state;
    if (failure == NULL) {
        state->pieces = bench_pieces(context, BENCH_RATE, state->hop, &context->n_items);
        failure = state->pieces == NULL ? "no memory" : NULL;
    }
    return failure;
}

static const char *prepare_clip(bench_context *context) {
    const char *failure = prepare(context);
    integer *state = context->state;
    for (size_t i = 0; failure == NULL && i < context->n_clips; i++) {
        if (context->clips[i].sample_rate == BENCH_RATE) {
            state->timed_clips[context->n_items++] = &context->clips[i];
        }
    }
    return failure;
}

static size_t hop_samples(const bench_context *context, size_t item) {
    (void)item;
    return ((const integer *)context->state)->hop;
}

static size_t clip_samples(const bench_context *context, size_t item) {
    return ((const integer *)context->state)->timed_clips[item]->n_samples;
}

static const char *run_hop(bench_context *context, size_t item) {
    integer *state = context->state;
    size_t n;
    bc_status status =
        bc_integer_push(&state->fe, state->pieces[item], state->hop, state->features, state->max_frames, &n);
    return status == BC_OK ? NULL : bc_status_string(status);
}

static bc_status compute(integer *state, const bench_clip *clip, size_t *size) {
    size_t n = 0;
    bc_status status =
        bc_integer_compute(&state->fe, clip->samples, clip->n_samples, state->features, state->max_frames, &n);
    *size = n * bc_integer_n_features(&state->fe) * sizeof *state->features;
    return status;
}

static const char *run_clip(bench_context *context, size_t item) {
    integer *state = context->state;
    size_t size;
    bc_status status = compute(state, state->timed_clips[item], &size);
    return status == BC_OK ? NULL : bc_status_string(status);
}

static const char *check_clip(bench_context *context, bench_parity *parity) {
    integer *state = context->state;
    size_t size;
    bc_status status = BC_OK;
    parity->part = "feature_hashes";
    parity->name = context->stage->profile;
    parity->clips = context->n_clips;
    for (size_t i = 0; status == BC_OK && i < context->n_clips; i++) {
        if ((status = compute(state, &context->clips[i], &size)) == BC_OK) {
            bench_compare(parity, context->clips[i].name, fnv1a(state->features, size, FNV1A_OF_NOTHING), "");
        }
    }
    return status == BC_OK ? NULL : bc_status_string(status);
}

static bc_status stream(integer *state, const bench_clip *clip, size_t *size) {
    uint32_t random = 1;
    size_t row = bc_integer_n_features(&state->fe), rows = 0, n;
    bc_status status = BC_OK;
    for (size_t at = 0, piece; status == BC_OK && at < clip->n_samples; at += piece) {
        piece = bench_uneven(&random, clip->n_samples - at);
        status = bc_integer_push(&state->fe, clip->samples + at, piece, state->streamed + rows * row,
                                 state->max_frames - rows, &n);
        rows += status == BC_OK ? n : 0;
    }
    if (status == BC_OK) {
        status = bc_integer_flush(&state->fe, state->streamed + rows * row, state->max_frames - rows, &n);
        rows += status == BC_OK ? n : 0;
    }
    *size = rows * row * sizeof *state->streamed;
    return status;
}

static const char *check_hop(bench_context *context, bench_parity *parity) {
    integer *state = context->state;
    size_t size, streamed_size;
    bc_status status = BC_OK;
    parity->part = "streaming";
    parity->name = context->stage->profile;
    parity->clips = context->n_clips;
    for (size_t i = 0; status == BC_OK && i < context->n_clips; i++) {
        const bench_clip *clip = &context->clips[i];
        if ((status = compute(state, clip, &size)) == BC_OK) { /* drops a stream that is under way */
            status = stream(state, clip, &streamed_size);
        }
        if (status == BC_OK && (size != streamed_size || memcmp(state->features, state->streamed, size) != 0)) {
            bench_mismatch(parity, clip->name, "");
        }
    }
    return status == BC_OK ? NULL : bc_status_string(status);
}

const bench_stage bench_stage_integer_hop = {"frontend_hop", NULL, NULL, 0, prepare_hop, hop_samples,
                                             run_hop, check_hop};
const bench_stage bench_stage_integer_clip = {"frontend_clip", NULL, NULL, 0, prepare_clip, clip_samples,
                                              run_clip, check_clip};
