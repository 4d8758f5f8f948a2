/* SPDX-License-Identifier: Apache-2.0
 *
 * librosa compares RMS in dB with a threshold; here the energies themselves are compared with the
 * threshold's ratio, which needs no logarithm and no square root.
 */
#include <babycry/conditioning.h>

#include "../frontend/bc_frontend_internal.h" /* bc_exp, bc_samples_are_finite */

#define BC_LN10_OVER_10 0.23025850929940456840

/* librosa's amplitude_to_db: no mean square counts for less than this. */
#define BC_TRIM_AMIN 1e-10f

typedef struct bc_clip {
    const float *f32;
    const int16_t *s16;
    size_t n_samples, frame_length, hop_length;
} bc_clip;

static float sample(const bc_clip *clip, size_t i) {
    return clip->s16 != NULL ? (float)clip->s16[i] * BC_INT16_SCALE : clip->f32[i];
}

/* Sum of squares of a frame, in eight partial sums; zeros around the clip add nothing. */
static float energy(const bc_clip *clip, size_t frame) {
    size_t center = frame * clip->hop_length, before = clip->frame_length / 2u;
    size_t from = center > before ? center - before : 0, to = center - before + clip->frame_length;
    to = to < clip->n_samples ? to : clip->n_samples;
    float sum[8] = {0};
    size_t i = from;
    for (; i + 8u <= to; i += 8u) {
        for (size_t k = 0; k < 8u; k++) {
            float x = sample(clip, i + k);
            sum[k] += x * x;
        }
    }
    for (size_t k = 0; i < to; i++, k++) {
        float x = sample(clip, i);
        sum[k] += x * x;
    }
    return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

static bc_status check(const bc_clip *clip, float top_db, int32_t frame_length, int32_t hop_length,
                       const size_t *start, const size_t *end) {
    if (!(top_db > 0.0f && top_db <= 1000.0f)) {
        return BC_BAD_TRIM_TOP_DB;
    }
    if (frame_length < 2 || frame_length > 65535) {
        return BC_BAD_FRAME_LENGTH;
    }
    if (hop_length < 1 || hop_length > 65535) {
        return BC_BAD_HOP_LENGTH;
    }
    int no_clip = clip->n_samples != 0 && clip->f32 == NULL && clip->s16 == NULL;
    if (no_clip || start == NULL || end == NULL) {
        return BC_NULL_POINTER;
    }
    if (clip->f32 != NULL && !bc_samples_are_finite(clip->f32, clip->n_samples)) {
        return BC_SAMPLE_NOT_FINITE;
    }
    return BC_OK;
}

static bc_status trim(bc_clip clip, float top_db, int32_t frame_length, int32_t hop_length, size_t *start,
                      size_t *end) {
    bc_status status = check(&clip, top_db, frame_length, hop_length, start, end);
    if (status != BC_OK) {
        return status;
    }
    clip.frame_length = (size_t)frame_length;
    clip.hop_length = (size_t)hop_length;
    /* librosa pads frame_length / 2 on both sides: of an odd length the last frame needs one more */
    size_t padded = clip.n_samples + (clip.frame_length & ~(size_t)1u);
    size_t n_frames = clip.n_samples == 0 || padded < clip.frame_length
                          ? 0
                          : 1u + (padded - clip.frame_length) / clip.hop_length;
    float lowest = BC_TRIM_AMIN * (float)frame_length, loudest = lowest;
    for (size_t frame = 0; frame < n_frames; frame++) {
        float value = energy(&clip, frame);
        loudest = value > loudest ? value : loudest;
    }
    float threshold = loudest * (float)bc_exp(-BC_LN10_OVER_10 * (double)(top_db < 370.0f ? top_db : 370.0f));
    size_t first = 0, last = n_frames; /* frames [first, last) */
    if (threshold >= lowest) { /* else librosa counts every frame as loud */
        while (first < n_frames && !(energy(&clip, first) > threshold)) {
            first++;
        }
        while (last > first && !(energy(&clip, last - 1u) > threshold)) {
            last--;
        }
    }
    *start = first * clip.hop_length;
    *end = last * clip.hop_length < clip.n_samples ? last * clip.hop_length : clip.n_samples;
    return BC_OK;
}

bc_status bc_trim(const float *pcm, size_t n_samples, float top_db, int32_t frame_length, int32_t hop_length,
                  size_t *start, size_t *end) {
    return trim((bc_clip){.f32 = pcm, .n_samples = n_samples}, top_db, frame_length, hop_length, start, end);
}

bc_status bc_trim_int16(const int16_t *pcm, size_t n_samples, float top_db, int32_t frame_length,
                        int32_t hop_length, size_t *start, size_t *end) {
    return trim((bc_clip){.s16 = pcm, .n_samples = n_samples}, top_db, frame_length, hop_length, start, end);
}
