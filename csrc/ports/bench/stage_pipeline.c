/* SPDX-License-Identifier: Apache-2.0
 *
 * pipeline: a clip's samples in, features of the bundled models' profile out; a clip of another rate is resampled
 * first. Proven: the published bits.
 */
#include <babycry/frontend.h>
#include <babycry/resample.h>

#include "../fnv1a.h"
#include "bench_data.h"
#include "bench_rows.h"

typedef struct pipeline {
    bc_frontend fe;
    bc_resampler_tables *tables; /* of each clip */
    bc_resampler *resamplers;
    float *audio, *features;
    size_t max_audio, max_frames;
} pipeline;

static const char *prepare_resampler(bench_context *context, pipeline *state, size_t item) {
    int32_t rate = context->clips[item].sample_rate;
    size_t tables_size = bc_resampler_tables_size(rate, BENCH_RATE), ram_size = bc_resampler_ram_size(rate, BENCH_RATE);
    void *tables = bench_take(context, tables_size), *ram = bench_take(context, ram_size);
    if (tables == NULL || ram == NULL) {
        return "no memory";
    }
    bc_status status = bc_resampler_make_tables(&state->tables[item], rate, BENCH_RATE, tables, tables_size);
    if (status == BC_OK) {
        status = bc_resampler_init(&state->resamplers[item], &state->tables[item], ram, ram_size);
    }
    return status == BC_OK ? NULL : bc_status_string(status);
}

static const char *prepare(bench_context *context) {
    bc_frontend_config cfg;
    pipeline *state = bench_take(context, sizeof *state);
    bc_status status = bc_frontend_profile(&cfg, context->stage->profile);
    if (state == NULL || status != BC_OK) {
        return state == NULL ? "no memory" : bc_status_string(status);
    }
    context->state = state;
    context->n_items = context->n_clips;
    context->sample_rate = BENCH_RATE;
    size_t ram_size = bc_frontend_ram_size(&cfg);
    void *ram = bench_take(context, ram_size);
    state->tables = bench_take(context, context->n_clips * sizeof *state->tables);
    state->resamplers = bench_take(context, context->n_clips * sizeof *state->resamplers);
    if (ram == NULL || state->tables == NULL || state->resamplers == NULL) {
        return "no memory";
    }
    if ((status = bc_frontend_init(&state->fe, &cfg, ram, ram_size)) != BC_OK) {
        return bc_status_string(status);
    }
    const char *failure = NULL;
    for (size_t i = 0; failure == NULL && i < context->n_clips; i++) {
        const bench_clip *clip = &context->clips[i];
        size_t n = bc_resampler_length(clip->sample_rate, BENCH_RATE, clip->n_samples);
        state->max_audio = n > state->max_audio ? n : state->max_audio;
        failure = clip->sample_rate != BENCH_RATE ? prepare_resampler(context, state, i) : NULL;
    }
    state->max_frames = bc_frontend_frame_count(&state->fe, state->max_audio);
    state->audio = bench_take(context, state->max_audio * sizeof *state->audio);
    state->features = bench_take(context, bc_frontend_room(&state->fe, state->max_frames) * sizeof *state->features);
    return failure != NULL ? failure : state->audio == NULL || state->features == NULL ? "no memory" : NULL;
}

static size_t audio_samples(const bench_context *context, size_t item) {
    const bench_clip *clip = &context->clips[item];
    return bc_resampler_length(clip->sample_rate, BENCH_RATE, clip->n_samples);
}

static bc_status compute(bench_context *context, size_t item, size_t *n_frames) {
    pipeline *state = context->state;
    const bench_clip *clip = &context->clips[item];
    if (clip->sample_rate == BENCH_RATE) {
        return bc_frontend_compute_int16(&state->fe, clip->samples, clip->n_samples, state->features,
                                         state->max_frames, n_frames);
    }
    size_t n, rest = 0;
    bc_resampler *resampler = &state->resamplers[item];
    bc_status status = bc_resampler_push(resampler, clip->samples, clip->n_samples, state->audio, state->max_audio, &n);
    if (status == BC_OK) {
        status = bc_resampler_flush(resampler, state->audio + n, state->max_audio - n, &rest);
    }
    if (status == BC_OK) {
        status = bc_frontend_compute(&state->fe, state->audio, n + rest, state->features, state->max_frames, n_frames);
    }
    return status;
}

static const char *run(bench_context *context, size_t item) {
    size_t n;
    bc_status status = compute(context, item, &n);
    return status == BC_OK ? NULL : bc_status_string(status);
}

static const char *check(bench_context *context, bench_parity *parity) {
    pipeline *state = context->state;
    parity->part = "feature_hashes";
    parity->name = "pipeline";
    parity->clips = context->n_clips;
    for (size_t i = 0; i < context->n_clips; i++) {
        size_t n;
        bc_status status = compute(context, i, &n);
        if (status != BC_OK) {
            return bc_status_string(status);
        }
        size_t size = n * bc_frontend_n_features(&state->fe) * sizeof *state->features;
        bench_compare(parity, context->clips[i].name, fnv1a(state->features, size, FNV1A_OF_NOTHING), "");
    }
    return NULL;
}

const bench_stage bench_stage_pipeline = {"pipeline", BENCH_PIPELINE_PROFILE, NULL, 1, prepare, audio_samples,
                                          run, check};
