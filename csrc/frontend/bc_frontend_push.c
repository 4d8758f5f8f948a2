/* SPDX-License-Identifier: Apache-2.0
 *
 * A stream. The ring keeps the last n_fft + 1 samples as float; a frame is computed as soon as its
 * last sample is there, by the same kernel code as a whole clip's.
 */
#include "bc_frontend_internal.h"

static int needs_whole_clip(const bc_frontend_config *cfg) {
    int level = cfg->compression == BC_COMPRESSION_DB && (!(cfg->ref > 0.0f) || cfg->top_db > 0.0f);
    return level || cfg->normalize != BC_NORMALIZE_NONE;
}

/* How many samples must have come in before the frame can be computed. */
static uint64_t ready_at(const bc_plan *plan, uint64_t frame) {
    uint64_t start = frame * (uint64_t)plan->config.hop_length; /* in the padded stream */
    uint64_t end = start + plan->frame_length - plan->pad;
    if (plan->config.framing == BC_FRAMING_CENTER_REFLECT && start < plan->pad) {
        uint64_t mirrored = plan->pad - start + 1u;
        end = mirrored > end ? mirrored : end;
    }
    return end;
}

/* Frames from next_frame on that are complete when the stream has n_samples. */
static uint64_t complete_frames(const bc_plan *plan, uint64_t n_samples) {
    uint64_t next = plan->next_frame, hop = (uint64_t)plan->config.hop_length;
    if (ready_at(plan, next) > n_samples) {
        return 0;
    }
    uint64_t whole = n_samples + plan->pad - plan->frame_length; /* the last frame's latest start */
    return whole / hop + 1u - next;
}

static bc_source stream_source(const bc_plan *plan) {
    return (bc_source){.f32 = plan->ring, .length = plan->n_samples, .ring_size = plan->ring_size,
                       .ring_next = plan->ring_next};
}

static void take(bc_plan *plan, const int16_t *s16, const float *f32, size_t n) {
    uint32_t at = plan->ring_next;
    for (size_t i = 0; i < n; i++) {
        plan->ring[at] = s16 != NULL ? (float)s16[i] * BC_INT16_SCALE : f32[i];
        at = at + 1u == plan->ring_size ? 0 : at + 1u;
    }
    plan->ring_next = at;
    plan->n_samples += n;
}

static bc_status push(bc_frontend *fe, const int16_t *s16, const float *f32, size_t n, float *features,
                      size_t max_frames, size_t *n_frames) {
    if (fe == NULL || (s16 == NULL && f32 == NULL && n != 0) || n_frames == NULL) {
        return BC_NULL_POINTER;
    }
    bc_plan *plan = bc_plan_of(fe);
    if (needs_whole_clip(&plan->config)) {
        return BC_NEEDS_WHOLE_CLIP;
    }
    uint64_t count = complete_frames(plan, plan->n_samples + n);
    if (count > max_frames || (count != 0 && features == NULL)) {
        return BC_OUTPUT_TOO_SMALL;
    }
    if (f32 != NULL && !bc_samples_are_finite(f32, n)) {
        return BC_SAMPLE_NOT_FINITE;
    }
    size_t done = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t ready = ready_at(plan, plan->next_frame);
        size_t missing = ready > plan->n_samples ? (size_t)(ready - plan->n_samples) : 0;
        take(plan, s16 ? s16 + done : NULL, f32 ? f32 + done : NULL, missing);
        done += missing;
        bc_source source = stream_source(plan);
        plan->frame_kernel(plan, &source, plan->next_frame, 1, features + i * (uint64_t)plan->config.n_mels);
        plan->next_frame++;
    }
    take(plan, s16 ? s16 + done : NULL, f32 ? f32 + done : NULL, n - done);
    *n_frames = (size_t)count;
    return BC_OK;
}

bc_status bc_frontend_push(bc_frontend *fe, const int16_t *pcm, size_t n_samples, float *features,
                           size_t max_frames, size_t *n_frames) {
    return push(fe, pcm, NULL, n_samples, features, max_frames, n_frames);
}

bc_status bc_frontend_push_float(bc_frontend *fe, const float *pcm, size_t n_samples, float *features,
                                 size_t max_frames, size_t *n_frames) {
    return push(fe, NULL, pcm, n_samples, features, max_frames, n_frames);
}

size_t bc_frontend_push_count(const bc_frontend *fe, size_t n_samples) {
    if (fe == NULL) {
        return 0;
    }
    const bc_plan *plan = bc_const_plan_of(fe);
    return (size_t)complete_frames(plan, plan->n_samples + n_samples);
}

size_t bc_frontend_flush_count(const bc_frontend *fe) {
    if (fe == NULL) {
        return 0;
    }
    const bc_plan *plan = bc_const_plan_of(fe);
    uint64_t total = bc_frame_count(plan, plan->n_samples);
    return total > plan->next_frame ? (size_t)(total - plan->next_frame) : 0;
}

bc_status bc_frontend_flush(bc_frontend *fe, float *features, size_t max_frames, size_t *n_frames) {
    if (fe == NULL || n_frames == NULL) {
        return BC_NULL_POINTER;
    }
    bc_plan *plan = bc_plan_of(fe);
    if (needs_whole_clip(&plan->config)) {
        return BC_NEEDS_WHOLE_CLIP;
    }
    size_t count = bc_frontend_flush_count(fe);
    int too_short = bc_too_short(plan, plan->n_samples);
    if (!too_short && (count > max_frames || (count != 0 && features == NULL))) {
        return BC_OUTPUT_TOO_SMALL;
    }
    bc_source source = stream_source(plan);
    if (!too_short) {
        plan->frame_kernel(plan, &source, plan->next_frame, count, features);
    }
    plan->n_samples = 0;
    plan->next_frame = 0;
    plan->ring_next = 0;
    *n_frames = too_short ? 0 : count;
    return too_short ? BC_CLIP_TOO_SHORT : BC_OK;
}
