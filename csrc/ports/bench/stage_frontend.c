/* SPDX-License-Identifier: Apache-2.0
 *
 * frontend_hop, frontend_window, frontend_clip: the float front-end of a profile, on one hop of a stream, on one
 * window, on whole clips. Proven: every clip's features have the published bits with every instruction set, and
 * a stream in uneven pieces has the bits of the whole clip.
 */
#include <babycry/windows.h>

#include <string.h>

#include "../fnv1a.h"
#include "bench_data.h"
#include "bench_pieces.h"
#include "bench_rows.h"

typedef struct frontend {
    bc_frontend fe;
    bc_frontend_config cfg;
    void *ram;
    size_t ram_size;
    const int16_t *const *pieces;
    size_t length; /* of a piece */
    const bench_clip **timed_clips;
    float *features, *streamed;
    size_t max_frames;
} frontend;

static size_t longest_clip(const bench_context *context) {
    size_t longest = BENCH_WINDOW_SAMPLES;
    for (size_t i = 0; i < context->n_clips; i++) {
        longest = context->clips[i].n_samples > longest ? context->clips[i].n_samples : longest;
    }
    return longest;
}

/* streams: without what the model's windows do to a frame afterwards. */
static const char *prepare(bench_context *context, int streams) {
    frontend *state = bench_take(context, sizeof *state);
    if (state == NULL) {
        return "no memory";
    }
    context->state = state;
    context->sample_rate = BENCH_RATE;
    bc_status status = bc_frontend_profile(&state->cfg, context->stage->profile);
    if (status != BC_OK) {
        return bc_status_string(status);
    }
    if (streams) {
        state->cfg.normalize = BC_NORMALIZE_NONE;
    }
    state->ram_size = bc_frontend_ram_size(&state->cfg);
    state->ram = bench_take(context, state->ram_size);
    if (state->ram == NULL) {
        return "no memory";
    }
    if ((status = bc_frontend_init(&state->fe, &state->cfg, state->ram, state->ram_size)) != BC_OK) {
        return bc_status_string(status);
    }
    state->max_frames = bc_frontend_frame_count(&state->fe, longest_clip(context));
    size_t room = bc_frontend_room(&state->fe, state->max_frames) * sizeof *state->features;
    state->features = bench_take(context, room);
    state->streamed = bench_take(context, room);
    state->timed_clips = bench_take(context, context->n_clips * sizeof *state->timed_clips);
    return state->features == NULL || state->streamed == NULL || state->timed_clips == NULL ? "no memory" : NULL;
}

static const char *prepare_hop(bench_context *context) {
    const char *failure = prepare(context, 1);
    frontend *state = context->state;
    if (failure == NULL) {
        state->length = (size_t)state->cfg.hop_length;
        state->pieces = bench_pieces(context, BENCH_RATE, state->length, &context->n_items);
        failure = state->pieces == NULL ? "no memory" : NULL;
    }
    return failure;
}

static const char *prepare_window(bench_context *context) {
    const char *failure = prepare(context, 0);
    frontend *state = context->state;
    if (failure == NULL) {
        state->length = BENCH_WINDOW_SAMPLES;
        state->pieces = bench_pieces(context, BENCH_RATE, state->length, &context->n_items);
        failure = state->pieces == NULL ? "no memory" : NULL;
    }
    return failure;
}

static const char *prepare_clip(bench_context *context) {
    const char *failure = prepare(context, 0);
    frontend *state = context->state;
    for (size_t i = 0; failure == NULL && i < context->n_clips; i++) {
        if (context->clips[i].sample_rate == BENCH_RATE) {
            state->timed_clips[context->n_items++] = &context->clips[i];
        }
    }
    return failure;
}

static size_t piece_samples(const bench_context *context, size_t item) {
    (void)item;
    return ((const frontend *)context->state)->length;
}

static size_t clip_samples(const bench_context *context, size_t item) {
    return ((const frontend *)context->state)->timed_clips[item]->n_samples;
}

static const char *run_hop(bench_context *context, size_t item) {
    frontend *state = context->state;
    size_t n;
    bc_status status = bc_frontend_push(&state->fe, state->pieces[item], state->length, state->features,
                                        state->max_frames, &n);
    return status == BC_OK ? NULL : bc_status_string(status);
}

static const char *run_window(bench_context *context, size_t item) {
    frontend *state = context->state;
    size_t n;
    bc_status status = bc_frontend_compute_int16(&state->fe, state->pieces[item], state->length, state->features,
                                                 state->max_frames, &n);
    return status == BC_OK ? NULL : bc_status_string(status);
}

static bc_status compute(frontend *state, const bench_clip *clip, size_t *size) {
    size_t n = 0;
    bc_status status = bc_frontend_compute_int16(&state->fe, clip->samples, clip->n_samples, state->features,
                                                 state->max_frames, &n);
    *size = n * bc_frontend_n_features(&state->fe) * sizeof *state->features;
    return status;
}

static const char *run_clip(bench_context *context, size_t item) {
    frontend *state = context->state;
    size_t size;
    bc_status status = compute(state, state->timed_clips[item], &size);
    return status == BC_OK ? NULL : bc_status_string(status);
}

static const char *check_clip(bench_context *context, bench_parity *parity) {
    frontend *state = context->state;
    const char *isa;
    bc_status status = BC_OK;
    parity->part = "feature_hashes";
    parity->name = context->stage->profile;
    parity->clips = context->n_clips;
    for (size_t k = 0; status == BC_OK && (isa = bc_frontend_isa_name(k)) != NULL; k++) {
        status = bc_frontend_use_isa(&state->fe, isa);
        for (size_t i = 0; status == BC_OK && i < context->n_clips; i++) {
            size_t size;
            status = compute(state, &context->clips[i], &size);
            if (status == BC_OK) {
                bench_compare(parity, context->clips[i].name, fnv1a(state->features, size, FNV1A_OF_NOTHING), isa);
            }
        }
    }
    return status == BC_OK ? NULL : bc_status_string(status);
}

/* All of a clip through bc_frontend_push. */
static bc_status stream(frontend *state, const bench_clip *clip, size_t *size) {
    uint32_t random = 1;
    size_t row = bc_frontend_n_features(&state->fe), rows = 0, n;
    bc_status status = BC_OK;
    for (size_t at = 0, piece; status == BC_OK && at < clip->n_samples; at += piece) {
        piece = bench_uneven(&random, clip->n_samples - at);
        status = bc_frontend_push(&state->fe, clip->samples + at, piece, state->streamed + rows * row,
                                  state->max_frames - rows, &n);
        rows += status == BC_OK ? n : 0;
    }
    if (status == BC_OK) {
        status = bc_frontend_flush(&state->fe, state->streamed + rows * row, state->max_frames - rows, &n);
        rows += status == BC_OK ? n : 0;
    }
    *size = rows * row * sizeof *state->streamed;
    return status;
}

/* What depends on the whole clip: one window of its length. */
static bc_status stream_window(bench_context *context, const bench_clip *clip, size_t *size) {
    frontend *state = context->state;
    bc_windows windows;
    uint32_t random = 1;
    int ready = 0;
    size_t ram_size = bc_windows_ram_size(&state->fe, clip->n_samples), taken;
    void *ram = bench_take(context, ram_size);
    bc_status status = ram == NULL
                           ? BC_RAM_TOO_SMALL
                           : bc_windows_init(&windows, &state->fe, clip->n_samples, 1, ram, ram_size);
    for (size_t at = 0; status == BC_OK && !ready && at < clip->n_samples; at += taken) {
        size_t piece = bench_uneven(&random, clip->n_samples - at);
        status = bc_windows_push(&windows, clip->samples + at, piece, state->streamed, &taken, &ready);
    }
    *size = status == BC_OK && ready
                ? bc_windows_row_count(&windows) * bc_frontend_n_features(&state->fe) * sizeof *state->streamed
                : 0;
    return status;
}

static const char *check_hop(bench_context *context, bench_parity *parity) {
    frontend *state = context->state;
    size_t n, size, streamed_size;
    parity->part = "streaming";
    parity->name = context->stage->profile;
    parity->clips = context->n_clips;
    bc_status status = bc_frontend_init(&state->fe, &state->cfg, state->ram, state->ram_size); /* a stream anew */
    int whole = bc_frontend_push(&state->fe, context->clips[0].samples, 0, state->features, state->max_frames, &n) ==
                BC_NEEDS_WHOLE_CLIP;
    for (size_t i = 0; status == BC_OK && i < context->n_clips; i++) {
        const bench_clip *clip = &context->clips[i];
        if ((status = compute(state, clip, &size)) == BC_OK) {
            status = whole ? stream_window(context, clip, &streamed_size) : stream(state, clip, &streamed_size);
        }
        if (status == BC_OK && (size != streamed_size || memcmp(state->features, state->streamed, size) != 0)) {
            bench_mismatch(parity, clip->name, "");
        }
    }
    return status == BC_OK ? NULL : bc_status_string(status);
}

const bench_stage bench_stage_frontend_hop = {"frontend_hop", NULL, NULL, 0, prepare_hop, piece_samples,
                                              run_hop, check_hop};
const bench_stage bench_stage_frontend_window = {"frontend_window", NULL, NULL, 0, prepare_window, piece_samples,
                                                 run_window, NULL};
const bench_stage bench_stage_frontend_clip = {"frontend_clip", NULL, NULL, 0, prepare_clip, clip_samples,
                                               run_clip, check_clip};
