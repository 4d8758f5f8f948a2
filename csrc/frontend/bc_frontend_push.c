/* SPDX-License-Identifier: Apache-2.0
 *
 * A stream. The ring keeps the last n_fft + 1 samples as float; a frame is computed as soon as its
 * last sample is there, by the same kernel code as a whole clip's.
 */
#include "bc_frontend_internal.h"

/* How many samples must have come in before the frame can be computed. */
static int64_t ready_at(const bc_plan *plan, uint64_t frame) {
    int64_t start = bc_frame_start(plan, frame);
    int64_t end = start + plan->frame_length;
    if (plan->config.framing == BC_FRAMING_CENTER_REFLECT && start < 0 && 1 - start > end) {
        end = 1 - start;
    }
    if (plan->config.framing == BC_FRAMING_KALDI_MIRROR && -start > end) {
        end = -start;
    }
    return end;
}

/* Frames from next_frame on that are complete when the stream has n_samples. */
static uint64_t complete_frames(const bc_plan *plan, uint64_t n_samples) {
    if (plan->tflm != NULL) {
        return plan->tflm->frame_count(plan, (size_t)(n_samples - plan->n_samples));
    }
    uint64_t next = plan->next_frame, hop = (uint64_t)plan->config.hop_length;
    if (ready_at(plan, next) > (int64_t)n_samples) {
        return 0;
    }
    if (ready_at(plan, next + 1u) > (int64_t)n_samples) {
        return 1; /* as in most pushes: without a division */
    }
    uint64_t whole = (uint64_t)((int64_t)n_samples + plan->pad - plan->frame_length); /* the last one's latest start */
    uint64_t count = whole / hop + 1u - next;
    while (ready_at(plan, next + count - 1u) > (int64_t)n_samples) {
        count--; /* mirrored frames at the start want more */
    }
    return count;
}

static bc_source stream_source(const bc_plan *plan) {
    return (bc_source){.f32 = plan->ring, .length = plan->n_samples, .ring_size = plan->ring_size,
                       .ring_next = plan->ring_next};
}

/* Into the ring, in runs that end where it does. */
static void take(bc_plan *plan, const int16_t *s16, const float *f32, size_t n) {
    plan->n_samples += n;
    for (size_t done = 0; done < n;) {
        float *to = plan->ring + plan->ring_next;
        size_t run = plan->ring_size - plan->ring_next;
        run = run < n - done ? run : n - done;
        if (s16 != NULL) {
            plan->isa->from_int16(s16 + done, run, to);
        } else {
            for (size_t i = 0; i < run; i++) {
                to[i] = f32[done + i];
            }
        }
        done += run;
        plan->ring_next += (uint32_t)run;
        plan->ring_next = plan->ring_next == plan->ring_size ? 0 : plan->ring_next;
    }
}

static int is_nowhere(const bc_destination *to) { return to->f32 == NULL && to->s8 == NULL; }

static void next_row(bc_plan *plan, const bc_destination *to, size_t index) {
    const bc_frontend_config *cfg = &plan->config;
    size_t width = bc_frame_width(cfg);
    bc_source source = stream_source(plan);
    float *finished = to->f32 != NULL ? to->f32 + index * width : cfg->n_mfcc != 0 ? plan->finished : plan->row;
    float *row = cfg->n_mfcc != 0 ? plan->row : finished;
    plan->frame_kernel(plan, &source, plan->next_frame, row);
    plan->next_frame++;
    if (cfg->compression == BC_COMPRESSION_PCEN) {
        bc_pcen_row(plan, plan->pcen, row);
    }
    if (cfg->n_mfcc != 0) {
        bc_finish_row(plan, row, finished);
    }
    if (to->s8 != NULL) {
        bc_features_quantize(finished, width, to->scale, to->zero_point, to->s8 + index * width);
    }
}

static bc_status push(bc_frontend *fe, const int16_t *s16, const float *f32, size_t n, const bc_destination *to,
                      size_t max_frames, size_t *n_frames) {
    if (fe == NULL || (s16 == NULL && f32 == NULL && n != 0) || n_frames == NULL) {
        return BC_NULL_POINTER;
    }
    bc_plan *plan = bc_plan_of(fe);
    if (bc_needs_whole_clip(&plan->config)) {
        return BC_NEEDS_WHOLE_CLIP;
    }
    uint64_t count = complete_frames(plan, plan->n_samples + n);
    if (count > max_frames || (count != 0 && is_nowhere(to))) {
        return BC_OUTPUT_TOO_SMALL;
    }
    if (f32 != NULL && !bc_samples_are_finite(f32, n)) {
        return BC_SAMPLE_NOT_FINITE;
    }
    if (plan->tflm != NULL) {
        *n_frames = plan->tflm->rows(plan, 0, &(bc_source){.s16 = s16, .f32 = f32, .length = n}, to);
        return BC_OK;
    }
    size_t done = 0;
    for (uint64_t i = 0; i < count; i++) {
        int64_t missing = ready_at(plan, plan->next_frame) - (int64_t)plan->n_samples;
        if (missing > 0) {
            take(plan, s16 ? s16 + done : NULL, f32 ? f32 + done : NULL, (size_t)missing);
            done += (size_t)missing;
        }
        next_row(plan, to, (size_t)i);
    }
    take(plan, s16 ? s16 + done : NULL, f32 ? f32 + done : NULL, n - done);
    *n_frames = (size_t)count;
    return BC_OK;
}

bc_status bc_frontend_push(bc_frontend *fe, const int16_t *pcm, size_t n_samples, float *features,
                           size_t max_frames, size_t *n_frames) {
    return push(fe, pcm, NULL, n_samples, &(bc_destination){.f32 = features}, max_frames, n_frames);
}

bc_status bc_frontend_push_float(bc_frontend *fe, const float *pcm, size_t n_samples, float *features,
                                 size_t max_frames, size_t *n_frames) {
    return push(fe, NULL, pcm, n_samples, &(bc_destination){.f32 = features}, max_frames, n_frames);
}

bc_status bc_frontend_push_int8(bc_frontend *fe, const int16_t *pcm, size_t n_samples, float scale,
                                int32_t zero_point, int8_t *features, size_t max_frames, size_t *n_frames) {
    if (!bc_quantization_is_sane(scale, zero_point)) {
        return BC_BAD_QUANTIZATION;
    }
    bc_destination to = {.s8 = features, .scale = scale, .zero_point = zero_point};
    return push(fe, pcm, NULL, n_samples, &to, max_frames, n_frames);
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
    uint64_t total = plan->tflm != NULL ? 0 : bc_frame_count(plan, plan->n_samples);
    return total > plan->next_frame ? (size_t)(total - plan->next_frame) : 0;
}

static bc_status flush(bc_frontend *fe, const bc_destination *to, size_t max_frames, size_t *n_frames) {
    if (fe == NULL || n_frames == NULL) {
        return BC_NULL_POINTER;
    }
    bc_plan *plan = bc_plan_of(fe);
    if (bc_needs_whole_clip(&plan->config)) {
        return BC_NEEDS_WHOLE_CLIP;
    }
    size_t count = bc_frontend_flush_count(fe);
    int too_short = bc_too_short(plan, plan->n_samples);
    if (!too_short && (count > max_frames || (count != 0 && is_nowhere(to)))) {
        return BC_OUTPUT_TOO_SMALL;
    }
    for (size_t i = 0; i < count && !too_short; i++) {
        next_row(plan, to, i);
    }
    plan->n_samples = 0;
    plan->next_frame = 0;
    plan->ring_next = 0;
    bc_pcen_start(plan, plan->pcen);
    if (plan->tflm != NULL) {
        plan->tflm->reset(plan);
    }
    *n_frames = too_short ? 0 : count;
    return too_short ? BC_CLIP_TOO_SHORT : BC_OK;
}

bc_status bc_frontend_flush(bc_frontend *fe, float *features, size_t max_frames, size_t *n_frames) {
    return flush(fe, &(bc_destination){.f32 = features}, max_frames, n_frames);
}

bc_status bc_frontend_flush_int8(bc_frontend *fe, float scale, int32_t zero_point, int8_t *features,
                                 size_t max_frames, size_t *n_frames) {
    if (!bc_quantization_is_sane(scale, zero_point)) {
        return BC_BAD_QUANTIZATION;
    }
    bc_destination to = {.s8 = features, .scale = scale, .zero_point = zero_point};
    return flush(fe, &to, max_frames, n_frames);
}
