/* SPDX-License-Identifier: Apache-2.0 */
#include "bc_frontend_internal.h"

/* Written so that NaN fails. */
static int within(float x, float low, float high) { return x >= low && x <= high; }

static int is_enum(unsigned value, unsigned last) { return value <= last; }

static bc_status check_frames(const bc_frontend_config *c) {
    uint8_t radix[BC_MAX_STAGES];
    if (c->sample_rate < 1000 || c->sample_rate > 384000) return BC_BAD_SAMPLE_RATE;
    if (c->n_fft < 32 || c->n_fft > 4096 || c->n_fft % 2 != 0) return BC_BAD_N_FFT;
    if (bc_fft_stages((uint32_t)c->n_fft / 2u, radix) == 0) return BC_BAD_N_FFT;
    if (c->win_length < 1 || c->win_length > c->n_fft) return BC_BAD_WIN_LENGTH;
    if (c->hop_length < 1 || c->hop_length > 65535) return BC_BAD_HOP_LENGTH;
    if (!is_enum(c->window, BC_WINDOW_HANN_INTEGER)) return BC_BAD_WINDOW;
    if (!is_enum(c->window_position, BC_WINDOW_POSITION_LEFT)) return BC_BAD_WINDOW_POSITION;
    if (!is_enum(c->framing, BC_FRAMING_KALDI_MIRROR)) return BC_BAD_FRAMING;
    if (!within(c->preemphasis, 0.0f, 1.0f)) return BC_BAD_PREEMPHASIS;
    if (c->remove_dc != 0 && c->remove_dc != 1) return BC_BAD_REMOVE_DC;
    return BC_OK;
}

static bc_status check_bands(const bc_frontend_config *c) {
    if (!is_enum(c->spectrum, BC_SPECTRUM_MAGNITUDE)) return BC_BAD_SPECTRUM;
    if (!is_enum(c->mel_scale, BC_MEL_SCALE_HTK)) return BC_BAD_MEL_SCALE;
    if (!is_enum(c->mel_slopes, BC_MEL_SLOPES_BIN)) return BC_BAD_MEL_SLOPES;
    if (!is_enum(c->mel_norm, BC_MEL_NORM_SLANEY)) return BC_BAD_MEL_NORM;
    if (c->n_mels < 1 || c->n_mels > 512) return BC_BAD_N_MELS;
    if (!within(c->fmax, 1.0f, (float)c->sample_rate * 0.5f)) return BC_BAD_FMAX;
    if (!within(c->fmin, 0.0f, c->fmax - 1.0f)) return BC_BAD_FMIN;
    return BC_OK;
}

static bc_status check_levels(const bc_frontend_config *c) {
    int is_db = c->compression == BC_COMPRESSION_DB;
    int is_log = c->compression == BC_COMPRESSION_LOG || c->compression == BC_COMPRESSION_LOG_MAX;
    if (!is_enum(c->compression, BC_COMPRESSION_TFLM)) return BC_BAD_COMPRESSION;
    if (is_log && !within(c->log_offset, 1e-30f, 1e30f)) return BC_BAD_LOG_OFFSET;
    if (is_db && !within(c->amin, 1e-30f, 1e30f)) return BC_BAD_AMIN;
    if (is_db && c->ref != 0.0f && !within(c->ref, 1e-30f, 1e30f)) return BC_BAD_REF;
    if (!within(c->top_db, 0.0f, is_db ? 1000.0f : 0.0f)) return BC_BAD_TOP_DB;
    return BC_OK;
}

static bc_status check_rows(const bc_frontend_config *c) {
    if (c->n_mfcc < 0 || c->n_mfcc > c->n_mels) return BC_BAD_N_MFCC;
    if (!is_enum(c->dct_norm, BC_DCT_NORM_KALDI)) return BC_BAD_DCT_NORM;
    if (c->lifter < 0 || c->lifter > 10000) return BC_BAD_LIFTER;
    if (c->delta < 0 || c->delta > 2) return BC_BAD_DELTA;
    if (c->descriptors < 0 || c->descriptors >= 2 * BC_DESCRIPTOR_RMS) return BC_BAD_DESCRIPTORS;
    if (bc_has(c, BC_DESCRIPTOR_ROLLOFF) && !within(c->rolloff, 0.01f, 0.99f)) return BC_BAD_ROLLOFF;
    if (!is_enum(c->normalize, BC_NORMALIZE_MIN_MAX)) return BC_BAD_NORMALIZE;
    if (!is_enum(c->pooling, BC_POOLING_MEAN)) return BC_BAD_POOLING;
    return BC_OK;
}

bc_status bc_check_axes(const bc_frontend_config *cfg) {
    if (cfg == NULL) {
        return BC_NULL_POINTER;
    }
    bc_status status = check_frames(cfg);
    status = status != BC_OK ? status : check_bands(cfg);
    status = status != BC_OK ? status : check_levels(cfg);
    status = status != BC_OK ? status : check_rows(cfg);
    int is_tflm = cfg->compression == BC_COMPRESSION_TFLM;
    return status == BC_OK && !is_tflm && cfg->window == BC_WINDOW_HANN_INTEGER ? BC_BAD_WINDOW : status;
}

bc_status bc_frontend_check(const bc_frontend_config *cfg) {
    bc_status status = bc_check_axes(cfg);
    return status == BC_OK && cfg->compression == BC_COMPRESSION_TFLM ? bc_tflm_part_check(cfg) : status;
}
