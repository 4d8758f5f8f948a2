/* SPDX-License-Identifier: Apache-2.0
 *
 * The micro front-end of <babycry/tflm.h> behind a bc_frontend: its uint16 values as floats. Clips and the
 * stream have a state of their own each.
 */
#include <babycry/tflm.h>

#include "bc_frontend_internal.h"

#define BC_PIECE 64u /* samples, as int16 on the stack */

typedef struct bc_tflm_part {
    bc_tflm_calls calls; /* first: plan->tflm points to it */
    bc_tflm_tables tables;
    bc_tflm stream;
    bc_tflm clip;
    uint16_t *row; /* [n_mels] */
} bc_tflm_part;

static bc_tflm_part *part_of(const bc_plan *plan) { return (bc_tflm_part *)(uintptr_t)plan->tflm; }

static bc_tflm_config tflm_config(const bc_frontend_config *cfg) {
    return (bc_tflm_config){.sample_rate = cfg->sample_rate, .win_length = cfg->win_length,
                            .hop_length = cfg->hop_length, .n_channels = cfg->n_mels, .fmin = cfg->fmin,
                            .fmax = cfg->fmax};
}

/* The axes that the micro front-end fixes, and those that it lets vary. */
bc_status bc_tflm_part_check(const bc_frontend_config *cfg) {
    bc_tflm_config own = tflm_config(cfg);
    if (cfg->window != BC_WINDOW_HANN_INTEGER) return BC_BAD_WINDOW;
    if (cfg->window_position != BC_WINDOW_POSITION_LEFT) return BC_BAD_WINDOW_POSITION;
    if (cfg->framing != BC_FRAMING_LEFT) return BC_BAD_FRAMING;
    if (cfg->preemphasis > 0.0f) return BC_BAD_PREEMPHASIS;
    if (cfg->remove_dc != 0) return BC_BAD_REMOVE_DC;
    if (cfg->spectrum != BC_SPECTRUM_MAGNITUDE) return BC_BAD_SPECTRUM;
    if (cfg->mel_scale != BC_MEL_SCALE_HTK) return BC_BAD_MEL_SCALE;
    if (cfg->mel_slopes != BC_MEL_SLOPES_MEL) return BC_BAD_MEL_SLOPES;
    if (cfg->mel_norm != BC_MEL_NORM_NONE) return BC_BAD_MEL_NORM;
    if (cfg->n_mfcc != 0) return BC_BAD_N_MFCC;
    if (cfg->delta != 0) return BC_BAD_DELTA;
    if (cfg->descriptors != 0) return BC_BAD_DESCRIPTORS;
    if (cfg->normalize != BC_NORMALIZE_NONE) return BC_BAD_NORMALIZE;
    if (cfg->pooling != BC_POOLING_NONE) return BC_BAD_POOLING;
    int32_t n_fft = 1;
    while (n_fft < cfg->win_length) {
        n_fft *= 2;
    }
    return cfg->n_fft != n_fft ? BC_BAD_N_FFT : bc_tflm_check(&own);
}

static size_t stream_size(const bc_frontend_config *cfg) {
    return BC_TFLM_RAM_SIZE((size_t)cfg->win_length, (size_t)cfg->n_fft, (size_t)cfg->n_mels);
}

size_t bc_tflm_part_size(const bc_frontend_config *cfg) {
    bc_tflm_config own = tflm_config(cfg);
    size_t size = sizeof(bc_tflm_part) + (size_t)cfg->n_mels * sizeof(uint16_t);
    return size + 2u * stream_size(cfg) + bc_tflm_tables_size(&own);
}

/* Rounded half away from zero, clamped. */
static int16_t int16_of(float x) {
    x *= 32768.0f;
    x = x < -32768.0f ? -32768.0f : x > 32767.0f ? 32767.0f : x;
    return (int16_t)(x < 0.0f ? x - 0.5f : x + 0.5f);
}

/* One row at most: so many of n samples are taken. */
static size_t push_piece(bc_tflm_part *part, bc_tflm *stream, const bc_source *pcm, size_t from, size_t n,
                         size_t *n_frames) {
    int16_t piece[BC_PIECE];
    size_t size = n < BC_PIECE ? n : BC_PIECE;
    size = size < stream->missing ? size : stream->missing;
    for (size_t i = 0; i < size; i++) {
        piece[i] = pcm->s16 != NULL ? pcm->s16[from + i] : int16_of(pcm->f32[from + i]);
    }
    bc_tflm_push(stream, piece, size, part->row, 1, n_frames);
    return size;
}

static size_t frame_count(const bc_plan *plan, size_t n_samples) {
    return bc_tflm_push_count(&part_of(plan)->stream, n_samples);
}

static size_t rows(const bc_plan *plan, int is_clip, const bc_source *pcm, const bc_destination *to) {
    bc_tflm_part *part = part_of(plan);
    bc_tflm *stream = is_clip ? &part->clip : &part->stream;
    size_t width = (size_t)plan->config.n_mels, count = 0, got;
    if (is_clip) {
        bc_tflm_reset(stream);
    }
    for (size_t at = 0; at < pcm->length;) {
        at += push_piece(part, stream, pcm, at, (size_t)pcm->length - at, &got);
        if (got == 0) {
            continue;
        }
        float *row = to->f32 != NULL ? to->f32 + count * width : plan->row;
        for (size_t i = 0; i < width; i++) {
            row[i] = (float)part->row[i];
        }
        if (to->s8 != NULL) {
            bc_features_quantize(row, width, to->scale, to->zero_point, to->s8 + count * width);
        }
        count++;
    }
    return count;
}

static void reset(const bc_plan *plan) { bc_tflm_reset(&part_of(plan)->stream); }

void bc_tflm_part_init(bc_plan *plan, void *ram) {
    const bc_frontend_config *cfg = &plan->config;
    bc_tflm_config own = tflm_config(cfg);
    bc_tflm_part *part = ram;
    unsigned char *at = (unsigned char *)(part + 1);
    *part = (bc_tflm_part){.calls = {frame_count, rows, reset}, .row = (uint16_t *)(void *)at};
    at += (size_t)cfg->n_mels * sizeof(uint16_t);
    bc_tflm_make_tables(&own, &part->tables, at, bc_tflm_tables_size(&own));
    at += bc_tflm_tables_size(&own);
    bc_tflm_init(&part->stream, &part->tables, at, stream_size(cfg));
    bc_tflm_init(&part->clip, &part->tables, at + stream_size(cfg), stream_size(cfg));
    plan->tflm = &part->calls;
}
