/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a frame's samples come from: a clip in memory or the ring of a stream, with padding at the ends.
 */
#include "bc_frontend_internal.h"
/* The bits of a float's magnitude grow with it, and those of infinity and NaN are the largest. */
int bc_samples_are_finite(const float *pcm, size_t n) {
    int32_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t bits;
        __builtin_memcpy(&bits, &pcm[i], sizeof bits);
        bad |= (bits & 0x7fffffff) > BC_LARGEST_SAMPLE_BITS;
    }
    return bad == 0;
}

int64_t bc_frame_start(const bc_plan *plan, uint64_t frame) {
    return (int64_t)(frame * (uint64_t)plan->config.hop_length) - plan->pad;
}

/* Where sample number index of the clip stands in memory. */
static size_t place_of(const bc_source *source, int64_t index) {
    if (source->ring_size == 0) {
        return (size_t)index;
    }
    uint32_t back = (uint32_t)((int64_t)source->length - index); /* 1 .. ring_size */
    uint32_t at = source->ring_next + source->ring_size - back;
    return at >= source->ring_size ? at - source->ring_size : at;
}

static float stored_sample(const bc_source *source, size_t at) {
    return source->s16 != NULL ? (float)source->s16[at] * BC_INT16_SCALE : source->f32[at];
}

/* The padding on either side of the clip: zeros, or the clip mirrored at its ends, whose last samples are
 * repeated (Kaldi) or not. A clip shorter than the padding is mirrored again and again (Kaldi). */
float bc_padding_at(const bc_plan *plan, const bc_source *source, int64_t index) {
    int64_t length = (int64_t)source->length;
    if (plan->config.framing == BC_FRAMING_CENTER_REFLECT) {
        index = index < 0 ? -index : 2 * (length - 1) - index;
    } else if (plan->config.framing == BC_FRAMING_KALDI_MIRROR) {
        while (index < 0 || index >= length) {
            index = index < 0 ? -1 - index : 2 * length - 1 - index;
        }
    } else {
        return 0.0f;
    }
    return stored_sample(source, place_of(source, index));
}

/* How many of n samples from number index on lie side by side in memory, at *at; 0 in the padding. */
size_t bc_samples_run(const bc_source *source, int64_t index, size_t n, size_t *at) {
    int64_t length = (int64_t)source->length;
    if (index < 0 || index >= length) {
        return 0;
    }
    *at = place_of(source, index);
    size_t run = (size_t)(length - index);
    if (source->ring_size != 0 && run > source->ring_size - *at) {
        run = source->ring_size - *at;
    }
    return run < n ? run : n;
}

/* Samples [start, start + n) as floats. */
void bc_load_samples(const bc_plan *plan, const bc_source *source, int64_t start, size_t n, float *out) {
    for (size_t i = 0; i < n;) {
        size_t at = 0, run = bc_samples_run(source, start + (int64_t)i, n - i, &at);
        if (run == 0) {
            out[i] = bc_padding_at(plan, source, start + (int64_t)i);
            i++;
            continue;
        }
        if (source->s16 != NULL) {
            plan->isa->from_int16(source->s16 + at, run, out + i);
        } else {
            for (size_t j = 0; j < run; j++) {
                out[i + j] = source->f32[at + j];
            }
        }
        i += run;
    }
}
