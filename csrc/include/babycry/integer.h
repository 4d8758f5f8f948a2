/* SPDX-License-Identifier: Apache-2.0
 *
 * Log-mel or MFCC features for processors without an FPU: int16 samples in, int16 or int8 rows out,
 * integer arithmetic only, the same bits on every target. bc_integer_tables.c makes the tables with
 * double precision, once: firmware with tables in flash links neither it nor any float routine.
 * An int16 feature is the float front-end's value times 2^fraction_bits, rounded, and saturated:
 * 7 bits for dB (1/128 dB, +-256 dB), 10 for ln; for MFCC what leaves room for levels of 128 dB or 32 in ln.
 */
#ifndef BABYCRY_INTEGER_H
#define BABYCRY_INTEGER_H

#include <babycry/frontend.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Everything that depends on the configuration; n_x is the number of elements of x. */
typedef struct bc_integer_tables {
    int32_t n_fft, hop_length, frame_length, pad, mirrored, window_start, window_length;
    int32_t magnitude, n_mels, n_mfcc, first_radix, sample_shift;
    int32_t fraction_bits; /* of the features */
    int32_t level_per_log2, ref_level, floor_level, adds_offset, offset_exponent, dct_shift;
    uint32_t offset_mantissa;
    const int32_t *window;         /* [n_fft] Q31, in the order of use */
    uint32_t n_window;
    const uint16_t *order;         /* [n_fft / 2 / first_radix] that order */
    uint32_t n_order;
    const int32_t *twiddles;       /* cos and sin in pairs, in the order of use */
    uint32_t n_twiddles;
    const int32_t *split;          /* cos and sin in pairs, of the real FFT's last step */
    uint32_t n_split;
    const uint16_t *bands;         /* [n_mels] first bin and number of bins in pairs */
    uint32_t n_bands;
    const int16_t *band_exponents; /* [n_mels] the power of two that a band's sum lacks */
    uint32_t n_band_exponents;
    const uint16_t *weights;       /* of all bands, one after the other */
    uint32_t n_weights;
    const uint32_t *log2_steps;    /* [65] log2(1 + i/64) */
    uint32_t n_log2_steps;
    const uint32_t *sqrt_steps;    /* [97] sqrt(1 + i/32), for magnitudes */
    uint32_t n_sqrt_steps;
    const int32_t *dct;            /* [n_mfcc][(n_mels + 1) / 2], lifter included */
    uint32_t n_dct;
} bc_integer_tables;

typedef struct bc_integer {
    uint64_t opaque[8];
} bc_integer;

/* What int8 rows need: made once from the model's scale and zero point. */
typedef struct bc_integer_int8 {
    uint32_t mantissa, reciprocal;
    int32_t shift, zero_point;
} bc_integer_int8;

/* BC_OK, or the first field that the integer front-end does not take: n_fft must be a power of two;
 * compression db with a fixed ref and no top_db, log, or log_max; no pre-emphasis, DC removal,
 * deltas or normalisation. */
bc_status bc_integer_check(const bc_frontend_config *cfg);

/* Bytes that the tables take, with any alignment of ram; 0 if cfg is at fault. */
size_t bc_integer_tables_size(const bc_frontend_config *cfg);
bc_status bc_integer_make_tables(const bc_frontend_config *cfg, bc_integer_tables *tables, void *ram,
                                 size_t ram_size);

/* scale: of one int8 step in dB or ln, float32, 1e-6 to 1e6; zero_point -128 to 127. */
bc_status bc_integer_make_int8(const bc_integer_tables *tables, float scale, int32_t zero_point,
                               bc_integer_int8 *out);

/* Bytes of RAM for bc_integer_init: exact, with any alignment of ram. The macro is for arrays. */
#define BC_INTEGER_RAM_SIZE(n_fft, n_mels, n_mfcc) (6u * (n_fft) + 15u + ((n_mfcc) ? 4u * (n_mels) : 0u))
size_t bc_integer_ram_size(const bc_integer_tables *tables);

/* Makes fe ready for a stream. It keeps using tables and ram. */
bc_status bc_integer_init(bc_integer *fe, const bc_integer_tables *tables, void *ram, size_t ram_size);

/* Values per row: n_mfcc, or n_mels without it. Frames of a clip, of a push, of the flush. */
size_t bc_integer_n_features(const bc_integer *fe);
size_t bc_integer_frame_count(const bc_integer *fe, size_t n_samples);
size_t bc_integer_push_count(const bc_integer *fe, size_t n_samples);
size_t bc_integer_flush_count(const bc_integer *fe);

/* A stream: frames come out as soon as they are complete, as in <babycry/frontend.h>. */
bc_status bc_integer_push(bc_integer *fe, const int16_t *pcm, size_t n_samples, int16_t *features,
                          size_t max_frames, size_t *n_frames);
bc_status bc_integer_flush(bc_integer *fe, int16_t *features, size_t max_frames, size_t *n_frames);

/* The int16 value / 2^fraction_bits / scale, rounded half to even, + zero_point, saturated. */
bc_status bc_integer_push_int8(bc_integer *fe, const bc_integer_int8 *kind, const int16_t *pcm,
                               size_t n_samples, int8_t *features, size_t max_frames, size_t *n_frames);
bc_status bc_integer_flush_int8(bc_integer *fe, const bc_integer_int8 *kind, int8_t *features,
                                size_t max_frames, size_t *n_frames);

/* A whole clip: a stream that is under way in fe is dropped. */
bc_status bc_integer_compute(bc_integer *fe, const int16_t *pcm, size_t n_samples, int16_t *features,
                             size_t max_frames, size_t *n_frames);

#ifdef __cplusplus
}
#endif

#endif
