/* SPDX-License-Identifier: Apache-2.0
 *
 * The micro front-end of TensorFlow Lite Micro (micro_speech, microWakeWord), bit for bit: int16
 * audio in, uint16 rows of log energies after noise reduction and gain control out. Integers only
 * once the tables exist; bc_tflm_make_tables computes them, or firmware keeps them as constants.
 * The caller owns all memory; a bc_tflm may be used by one thread at a time.
 */
#ifndef BABYCRY_TFLM_H
#define BABYCRY_TFLM_H

#include <stddef.h>
#include <stdint.h>

#include <babycry/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What may differ; the constants of noise reduction, gain control and logarithm are micro_speech's. */
typedef struct bc_tflm_config {
    int32_t sample_rate; /* Hz */
    int32_t win_length;  /* samples, 33 to 4096; the FFT's length is the next power of two */
    int32_t hop_length;  /* samples, at most win_length */
    int32_t n_channels;  /* 1 to 255 */
    float fmin;          /* Hz */
    float fmax;          /* Hz; the last bin used must lie below half the sample rate */
} bc_tflm_config;

/* Constants of a configuration. Every pointer p has its number of elements in n_p. */
typedef struct bc_tflm_tables {
    uint32_t win_length;
    uint32_t hop_length;
    uint32_t n_fft;
    uint32_t n_channels;
    uint32_t first_bin;      /* of the first span */
    uint32_t n_window;
    const int16_t *window;   /* Hann, 4096 as one */
    uint32_t n_position;
    const uint16_t *position; /* where the FFT takes pair i of samples */
    uint32_t n_twiddles;
    const uint32_t *twiddles; /* exp(-2 pi i j / (n_fft/2)), 32767 as one, real part in the low half */
    uint32_t n_split;
    const uint32_t *split;   /* the same for the real FFT's last step */
    uint32_t n_span;
    const uint16_t *span;    /* bins in each of the n_channels + 1 spans between centres */
    uint32_t n_weights;
    const uint16_t *weights; /* for each bin: share of the channel that ends, of the one that begins */
    uint32_t n_gain;
    const int16_t *gain;     /* of the noise level: two values, then a parabola for each octave */
    uint32_t n_curve;
    const uint16_t *curve;   /* log2(1 + i/128) - i/128, 65536 as one */
} bc_tflm_tables;

union bc_tflm_bin;

/* A stream; the members are the library's own. */
typedef struct bc_tflm {
    const bc_tflm_tables *tables;
    union bc_tflm_bin *bins; /* [n_fft / 2] */
    uint32_t *noise;         /* [n_channels] */
    int16_t *samples;        /* [win_length], a ring */
    uint32_t next;           /* where in it the next sample goes */
    uint32_t missing;        /* samples until the next frame is complete */
} bc_tflm;

/* 30 ms windows every 10 ms, 40 channels from 125 to 7500 Hz. micro_speech: hop_length for 20 ms. */
bc_status bc_tflm_default(bc_tflm_config *cfg, int32_t sample_rate);

/* BC_OK, or the status that names the first field at fault. */
bc_status bc_tflm_check(const bc_tflm_config *cfg);

/* Bytes that bc_tflm_make_tables wants: exact; 0 if cfg is at fault. */
size_t bc_tflm_tables_size(const bc_tflm_config *cfg);

/* Computes the tables into memory (any alignment), to which tables then points. */
bc_status bc_tflm_make_tables(const bc_tflm_config *cfg, bc_tflm_tables *tables, void *memory, size_t size);

/* Bytes of RAM of a stream, as a constant for a static array and for tables at hand: equal. */
#define BC_TFLM_RAM_SIZE(win_length, n_fft, n_channels) (2 * (win_length) + 2 * (n_fft) + 4 * (n_channels) + 3)
size_t bc_tflm_ram_size(const bc_tflm_tables *tables);

/* Starts a stream in ram (any alignment). tables and ram stay in use until the caller drops it. */
bc_status bc_tflm_init(bc_tflm *stream, const bc_tflm_tables *tables, void *ram, size_t ram_size);

/* Forgets all samples and the noise level. */
bc_status bc_tflm_reset(bc_tflm *stream);

/* Frames that pushing n_samples now would give. */
size_t bc_tflm_push_count(const bc_tflm *stream, size_t n_samples);

/* Any number of samples -> features[n_frames][n_channels]. max_frames is the room in features.
 * On a status other than BC_OK nothing was consumed. */
bc_status bc_tflm_push(bc_tflm *stream, const int16_t *pcm, size_t n_samples, uint16_t *features,
                       size_t max_frames, size_t *n_frames);

/* What models take: micro_speech's int8, (256 v + 333) / 666 - 128 within -128 to 127, and
 * microWakeWord's float, 10 v / 256. */
void bc_tflm_to_int8(const uint16_t *features, size_t n, int8_t *out);
void bc_tflm_to_float(const uint16_t *features, size_t n, float *out);

#ifdef __cplusplus
}
#endif

#endif
