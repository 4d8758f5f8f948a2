/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole clip at once, or in parts.
 */
#include <babycry/parts.h>

#include "bc_frontend_internal.h"

uint64_t bc_frame_count(const bc_plan *plan, uint64_t n_samples) {
    uint64_t hop = (uint64_t)plan->config.hop_length;
    switch (plan->config.framing) {
    case BC_FRAMING_CENTER_ZERO:
    case BC_FRAMING_CENTER_REFLECT: /* Whisper drops the last one */
        return n_samples / hop + (plan->config.compression == BC_COMPRESSION_LOG10_WHISPER ? 0u : 1u);
    case BC_FRAMING_KALDI_MIRROR:
        return (n_samples + hop / 2u) / hop;
    default:
        return n_samples < plan->frame_length ? 0 : 1u + (n_samples - plan->frame_length) / hop;
    }
}

int bc_too_short(const bc_plan *plan, uint64_t n_samples) {
    return plan->config.framing == BC_FRAMING_CENTER_REFLECT && n_samples <= (uint64_t)plan->pad;
}

size_t bc_frontend_frame_count(const bc_frontend *fe, size_t n_samples) {
    return fe == NULL ? 0 : (size_t)bc_frame_count(bc_const_plan_of(fe), n_samples);
}

size_t bc_frontend_n_features(const bc_frontend *fe) {
    return fe == NULL ? 0 : bc_feature_width(&bc_const_plan_of(fe)->config);
}

size_t bc_frontend_room(const bc_frontend *fe, size_t max_frames) {
    if (fe == NULL) {
        return 0;
    }
    const bc_frontend_config *cfg = &bc_const_plan_of(fe)->config;
    size_t raw = bc_raw_width(cfg), frame = bc_frame_width(cfg), row = bc_feature_width(cfg);
    size_t room = max_frames * (raw > frame ? raw : frame);
    return room > row ? room : row;
}

/* bc_frames.c knows whole frames of samples, their bands, and nothing else. */
static int fit_side_by_side(const bc_plan *plan) {
    const bc_frontend_config *cfg = &plan->config;
    return plan->isa->frames != NULL && cfg->descriptors == 0 && cfg->remove_dc == 0 &&
           !(cfg->preemphasis > 0.0f) && cfg->compression != BC_COMPRESSION_LOG10_WHISPER;
}

/* Whether the samples after the end of the frame before number n_frames are finite. */
static int rest_is_finite(const bc_plan *plan, const bc_source *source, uint64_t n_frames) {
    int64_t end = n_frames == 0 ? 0 : bc_frame_start(plan, n_frames - 1u) + plan->config.n_fft;
    end = end < 0 ? 0 : end;
    return end >= (int64_t)source->length ||
           bc_samples_are_finite(source->f32 + end, (size_t)((int64_t)source->length - end));
}

/* Returns 0 where a sample is not finite: those of the frames, and after the last frame the rest. */
int bc_raw_rows(const bc_plan *plan, const bc_source *source, uint64_t first, size_t count, float *rows) {
    int is_last = first + count == bc_frame_count(plan, source->length);
    if (fit_side_by_side(plan)) {
        int finite = plan->isa->frames(plan, source, first, count, rows);
        return finite && (source->f32 == NULL || !is_last || rest_is_finite(plan, source, first + count));
    }
    if (source->f32 != NULL && !bc_samples_are_finite(source->f32, (size_t)source->length)) {
        return 0;
    }
    size_t width = bc_raw_width(&plan->config);
    for (size_t i = 0; i < count; i++) {
        plan->frame_kernel(plan, source, first + i, rows + i * width);
    }
    return 1;
}

size_t bc_frontend_raw_width(const bc_frontend *fe) {
    return fe == NULL ? 0 : bc_raw_width(&bc_const_plan_of(fe)->config);
}

/* At the end of the room, so that finished rows do not run over raw ones. */
static float *raw_place(const bc_frontend *fe, float *room, size_t n_frames) {
    size_t raw = n_frames * bc_frontend_raw_width(fe);
    return n_frames == 0 ? room : room + (bc_frontend_room(fe, n_frames) - raw);
}

static bc_status compute_raw(bc_frontend *fe, const bc_source *source, size_t first, size_t n_rows, float *rows) {
    const bc_plan *plan = bc_const_plan_of(fe);
    uint64_t count = bc_frame_count(plan, source->length);
    if (plan->tflm != NULL) {
        return BC_NEEDS_STREAM;
    }
    if (bc_too_short(plan, source->length)) {
        return BC_CLIP_TOO_SHORT;
    }
    if (first > count || n_rows > count - first) {
        return BC_OUTPUT_TOO_SMALL;
    }
    return bc_raw_rows(plan, source, first, n_rows, rows) ? BC_OK : BC_SAMPLE_NOT_FINITE;
}

bc_status bc_frontend_compute_raw(bc_frontend *fe, const float *pcm, size_t n_samples, size_t first, size_t n_rows,
                                  float *rows) {
    if (fe == NULL || (pcm == NULL && n_samples != 0) || rows == NULL) {
        return BC_NULL_POINTER;
    }
    return compute_raw(fe, &(bc_source){.f32 = pcm, .length = n_samples}, first, n_rows, rows);
}

bc_status bc_frontend_compute_raw_int16(bc_frontend *fe, const int16_t *pcm, size_t n_samples, size_t first,
                                        size_t n_rows, float *rows) {
    if (fe == NULL || (pcm == NULL && n_samples != 0) || rows == NULL) {
        return BC_NULL_POINTER;
    }
    return compute_raw(fe, &(bc_source){.s16 = pcm, .length = n_samples}, first, n_rows, rows);
}

bc_status bc_frontend_finish_raw(bc_frontend *fe, float *room, size_t n_frames, size_t *n_rows) {
    if (fe == NULL || room == NULL || n_rows == NULL) {
        return BC_NULL_POINTER;
    }
    const bc_plan *plan = bc_const_plan_of(fe);
    *n_rows = plan->config.pooling != BC_POOLING_NONE ? 1u : n_frames;
    return bc_finish_clip(plan, raw_place(fe, room, n_frames), n_frames, room);
}

static bc_status compute(bc_frontend *fe, const bc_source *source, float *features, size_t max_frames,
                         size_t *n_frames) {
    const bc_plan *plan = bc_const_plan_of(fe);
    uint64_t count = bc_frame_count(plan, source->length);
    if (bc_too_short(plan, source->length)) {
        return BC_CLIP_TOO_SHORT;
    }
    if (count > max_frames) {
        return BC_OUTPUT_TOO_SMALL;
    }
    size_t n = (size_t)count;
    if (plan->tflm != NULL) {
        if (source->f32 != NULL && !bc_samples_are_finite(source->f32, (size_t)source->length)) {
            return BC_SAMPLE_NOT_FINITE;
        }
        *n_frames = plan->tflm->rows(plan, 1, source, &(bc_destination){.f32 = features});
        return BC_OK;
    }
    float *raw = raw_place(fe, features, n);
    if (!bc_raw_rows(plan, source, 0, n, raw)) {
        return BC_SAMPLE_NOT_FINITE;
    }
    *n_frames = plan->config.pooling != BC_POOLING_NONE ? 1u : n;
    return bc_finish_clip(plan, raw, n, features);
}

bc_status bc_frontend_compute(bc_frontend *fe, const float *pcm, size_t n_samples, float *features,
                              size_t max_frames, size_t *n_frames) {
    if (fe == NULL || (pcm == NULL && n_samples != 0) || features == NULL || n_frames == NULL) {
        return BC_NULL_POINTER;
    }
    bc_source source = {.f32 = pcm, .length = n_samples};
    return compute(fe, &source, features, max_frames, n_frames);
}

bc_status bc_frontend_compute_int16(bc_frontend *fe, const int16_t *pcm, size_t n_samples, float *features,
                                    size_t max_frames, size_t *n_frames) {
    if (fe == NULL || (pcm == NULL && n_samples != 0) || features == NULL || n_frames == NULL) {
        return BC_NULL_POINTER;
    }
    bc_source source = {.s16 = pcm, .length = n_samples};
    return compute(fe, &source, features, max_frames, n_frames);
}
