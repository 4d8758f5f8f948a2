/* SPDX-License-Identifier: Apache-2.0
 *
 * What is done to a recording before its features: down-mix, silence trim, peak normalisation, pad
 * and trim to a length. The definitions are librosa's. Nothing is allocated; where it says "in
 * place", input and output may start at the same address.
 */
#ifndef BABYCRY_CONDITIONING_H
#define BABYCRY_CONDITIONING_H

#include <stddef.h>
#include <stdint.h>

#include <babycry/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which end of a clip is padded with zeros, or cut, to reach a length. */
typedef enum bc_fit {
    BC_FIT_END,   /* librosa.util.fix_length */
    BC_FIT_CENTER /* librosa.util.pad_center: as much on both sides, the odd sample at the end */
} bc_fit;

/* librosa.to_mono: the mean of n_channels (1 to 64) interleaved channels, summed in their order.
 * int16 rounds to nearest, halves away from 0. In place. */
bc_status bc_to_mono(const float *interleaved, size_t n_samples, int32_t n_channels, float *mono);
bc_status bc_to_mono_int16(const int16_t *interleaved, size_t n_samples, int32_t n_channels, int16_t *mono);

/* librosa.effects.trim: finds the samples [start, end) from the first to the last frame whose RMS is
 * less than top_db (above 0, at most 1000; librosa's default is 60) below the loudest frame's.
 * Frames of frame_length samples (librosa: 2048), hop_length apart (512), lie centred on their
 * hop with zeros around the clip. Work grows with frame_length / hop_length. */
bc_status bc_trim(const float *pcm, size_t n_samples, float top_db, int32_t frame_length, int32_t hop_length,
                  size_t *start, size_t *end);
bc_status bc_trim_int16(const int16_t *pcm, size_t n_samples, float top_db, int32_t frame_length,
                        int32_t hop_length, size_t *start, size_t *end);

/* librosa.util.normalize: divides by the largest magnitude, so that it becomes 1; leaves a clip
 * alone whose samples are all 0 (or subnormal). In place. */
bc_status bc_normalize_peak(const float *pcm, size_t n_samples, float *out);

/* Pads with zeros or cuts n_samples to length. In place where the memory holds both. */
bc_status bc_fit_length(const float *pcm, size_t n_samples, float *out, size_t length, bc_fit fit);
bc_status bc_fit_length_int16(const int16_t *pcm, size_t n_samples, int16_t *out, size_t length, bc_fit fit);

#ifdef __cplusplus
}
#endif

#endif
