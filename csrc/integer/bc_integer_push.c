/* SPDX-License-Identifier: Apache-2.0
 *
 * A stream of samples: the history is the frame that is being filled, and moves by a hop with each frame.
 */
#include "bc_integer_internal.h"

static bc_integer_state *state_of(bc_integer *fe) { return (bc_integer_state *)(void *)fe; }
static const bc_integer_state *const_state_of(const bc_integer *fe) {
    return (const bc_integer_state *)(const void *)fe;
}

size_t bc_integer_ram_size(const bc_integer_tables *t) {
    return t == NULL ? 0 : BC_INTEGER_RAM_SIZE((size_t)t->n_fft, (size_t)t->n_mels, t->n_mfcc);
}

static void restart(bc_integer_state *state) {
    const bc_integer_tables *t = state->tables;
    for (size_t i = 0; i < (size_t)t->n_fft + 4u; i++) {
        state->history[i] = 0;
    }
    state->filled = (uint32_t)t->pad;
    state->skip = 0;
    state->is_first = 1;
}

bc_status bc_integer_init(bc_integer *fe, const bc_integer_tables *tables, void *ram, size_t ram_size) {
    if (fe == NULL || tables == NULL || ram == NULL) {
        return BC_NULL_POINTER;
    }
    if (ram_size < bc_integer_ram_size(tables)) {
        return BC_RAM_TOO_SMALL;
    }
    uintptr_t base = ((uintptr_t)ram + BC_INTEGER_ALIGNMENT - 1u) & ~(uintptr_t)(BC_INTEGER_ALIGNMENT - 1u);
    size_t n_fft = (size_t)tables->n_fft;
    bc_integer_state *state = state_of(fe);
    *state = (bc_integer_state){.tables = tables};
    state->work = (bc_complex *)base;
    base += n_fft / 2u * sizeof *state->work;
    state->levels = (int32_t *)base; /* none without MFCC */
    base += tables->n_mfcc != 0 ? (size_t)tables->n_mels * sizeof *state->levels : 0u;
    state->history = (int16_t *)base;
    restart(state);
    return BC_OK;
}

/* Words at a time where both places are aligned to them, which an even hop gives. */
static void copy_down(int16_t *to, const int16_t *from, size_t n) {
    size_t i = 0;
    if ((((uintptr_t)to | (uintptr_t)from) & 3u) == 0) {
        for (; i + 8u <= n; i += 8u) {
            uint32_t w[4];
            __builtin_memcpy(w, __builtin_assume_aligned(from + i, 4), sizeof w);
            __builtin_memcpy(__builtin_assume_aligned(to + i, 4), w, sizeof w);
        }
    }
    for (; i < n; i++) {
        to[i] = from[i];
    }
}

/* Samples of the padded stream that the next frame wants: the mirror of a clip's start reaches one further. */
static uint32_t wanted(const bc_integer_state *state) {
    const bc_integer_tables *t = state->tables;
    return (uint32_t)t->frame_length + (uint32_t)(t->mirrored && state->is_first);
}

/* Takes samples until the next frame is complete, or all; returns how many. */
static size_t take(bc_integer_state *state, const int16_t *pcm, size_t n) {
    size_t dropped = n < state->skip ? n : state->skip;
    state->skip -= (uint32_t)dropped;
    if (dropped != 0) {
        state->history[BC_BEFORE - 1u] = pcm[dropped - 1u];
    }
    size_t room = wanted(state) - state->filled, left = n - dropped;
    size_t taken = left < room ? left : room;
    copy_down(state->history + BC_BEFORE + state->filled, pcm + dropped, taken);
    state->filled += (uint32_t)taken;
    return dropped + taken;
}

static void mirror_start(const bc_integer_state *state) {
    int16_t *first = state->history + BC_BEFORE + state->tables->pad;
    for (int32_t i = 1; i <= state->tables->pad; i++) {
        first[-i] = first[i];
    }
}

static void give_frame(bc_integer_state *state, const bc_rows *rows, size_t row) {
    const bc_integer_tables *t = state->tables;
    if (t->mirrored && state->is_first) {
        mirror_start(state);
    }
    state->is_first = 0;
    int32_t exponent = bc_integer_spectrum(t, state->history + BC_BEFORE, state->work);
    bc_integer_row(state, exponent, rows, row);
    uint32_t hop = (uint32_t)t->hop_length, kept = state->filled > hop ? state->filled - hop : 0u;
    if (hop <= state->filled) {
        state->history[BC_BEFORE - 1u] = state->history[BC_BEFORE - 1u + hop];
    }
    copy_down(state->history + BC_BEFORE, state->history + BC_BEFORE + hop, kept);
    state->skip = hop > state->filled ? hop - state->filled : 0u;
    if (state->skip != 0) {
        state->history[BC_BEFORE - 1u] = state->history[BC_BEFORE - 1u + state->filled];
    }
    state->filled = kept;
}

size_t bc_integer_n_features(const bc_integer *fe) {
    const bc_integer_tables *t = fe == NULL ? NULL : const_state_of(fe)->tables;
    return t == NULL ? 0 : (size_t)(t->n_mfcc != 0 ? t->n_mfcc : t->n_mels);
}

size_t bc_integer_frame_count(const bc_integer *fe, size_t n_samples) {
    if (fe == NULL) {
        return 0;
    }
    const bc_integer_tables *t = const_state_of(fe)->tables;
    size_t padded = t->pad != 0 ? n_samples : n_samples - (size_t)t->frame_length;
    return t->pad == 0 && n_samples < (size_t)t->frame_length ? 0 : 1u + padded / (size_t)t->hop_length;
}

size_t bc_integer_push_count(const bc_integer *fe, size_t n_samples) {
    if (fe == NULL) {
        return 0;
    }
    const bc_integer_state *state = const_state_of(fe);
    size_t needed = state->skip + (wanted(state) - state->filled); /* for the first frame */
    if (n_samples < needed) {
        return 0;
    }
    size_t extra = wanted(state) - (uint32_t)state->tables->frame_length;
    return 1u + (n_samples - needed + extra) / (size_t)state->tables->hop_length;
}

size_t bc_integer_flush_count(const bc_integer *fe) {
    if (fe == NULL) {
        return 0;
    }
    const bc_integer_state *state = const_state_of(fe);
    uint32_t pad = (uint32_t)state->tables->pad;
    if (pad == 0 || state->skip != 0 || state->filled < pad) {
        return 0;
    }
    return 1u + (state->filled - pad) / (uint32_t)state->tables->hop_length;
}

static bc_status push(bc_integer *fe, const int16_t *pcm, size_t n, const bc_rows *rows, size_t max_frames,
                      size_t *n_frames) {
    if (fe == NULL || (pcm == NULL && n != 0) || n_frames == NULL || (rows->s8 != NULL && rows->kind == NULL)) {
        return BC_NULL_POINTER;
    }
    bc_integer_state *state = state_of(fe);
    size_t count = bc_integer_push_count(fe, n);
    if (count > max_frames || (count != 0 && rows->s16 == NULL && rows->s8 == NULL)) {
        return BC_OUTPUT_TOO_SMALL;
    }
    for (size_t row = 0; row < count; row++) {
        size_t taken = take(state, pcm, n);
        pcm += taken;
        n -= taken;
        give_frame(state, rows, row);
    }
    if (n != 0) {
        take(state, pcm, n);
    }
    *n_frames = count;
    return BC_OK;
}

/* Zeros, or the stream mirrored at its last sample, from there to the frame's end. */
static void pad_end(bc_integer_state *state, uint32_t *known) {
    int16_t *frame = state->history + BC_BEFORE;
    uint32_t end = (uint32_t)state->tables->frame_length;
    for (uint32_t i = state->filled; i < end; i++) {
        frame[i] = state->tables->mirrored ? frame[2 * (int32_t)*known - 2 - (int32_t)i] : 0;
    }
    state->filled = end;
    *known -= (uint32_t)state->tables->hop_length; /* where the next frame will find the last sample */
}

static bc_status flush(bc_integer *fe, const bc_rows *rows, size_t max_frames, size_t *n_frames) {
    if (fe == NULL || n_frames == NULL || (rows->s8 != NULL && rows->kind == NULL)) {
        return BC_NULL_POINTER;
    }
    bc_integer_state *state = state_of(fe);
    int too_short = state->tables->mirrored && state->is_first;
    size_t count = too_short ? 0 : bc_integer_flush_count(fe);
    if (count > max_frames || (count != 0 && rows->s16 == NULL && rows->s8 == NULL)) {
        return BC_OUTPUT_TOO_SMALL;
    }
    uint32_t known = state->filled;
    for (size_t row = 0; row < count; row++) {
        pad_end(state, &known);
        give_frame(state, rows, row);
    }
    restart(state);
    *n_frames = count;
    return too_short ? BC_CLIP_TOO_SHORT : BC_OK;
}

bc_status bc_integer_push(bc_integer *fe, const int16_t *pcm, size_t n_samples, int16_t *features,
                          size_t max_frames, size_t *n_frames) {
    return push(fe, pcm, n_samples, &(bc_rows){.s16 = features}, max_frames, n_frames);
}

bc_status bc_integer_flush(bc_integer *fe, int16_t *features, size_t max_frames, size_t *n_frames) {
    return flush(fe, &(bc_rows){.s16 = features}, max_frames, n_frames);
}

bc_status bc_integer_push_int8(bc_integer *fe, const bc_integer_int8 *kind, const int16_t *pcm,
                               size_t n_samples, int8_t *features, size_t max_frames, size_t *n_frames) {
    return push(fe, pcm, n_samples, &(bc_rows){.s8 = features, .kind = kind}, max_frames, n_frames);
}

bc_status bc_integer_flush_int8(bc_integer *fe, const bc_integer_int8 *kind, int8_t *features,
                                size_t max_frames, size_t *n_frames) {
    return flush(fe, &(bc_rows){.s8 = features, .kind = kind}, max_frames, n_frames);
}

bc_status bc_integer_compute(bc_integer *fe, const int16_t *pcm, size_t n_samples, int16_t *features,
                             size_t max_frames, size_t *n_frames) {
    if (fe == NULL || (pcm == NULL && n_samples != 0) || features == NULL || n_frames == NULL) {
        return BC_NULL_POINTER;
    }
    size_t count = bc_integer_frame_count(fe, n_samples);
    if (count > max_frames) {
        return BC_OUTPUT_TOO_SMALL;
    }
    bc_integer_state *state = state_of(fe);
    restart(state);
    size_t pushed = 0, flushed = 0;
    bc_status status = bc_integer_push(fe, pcm, n_samples, features, max_frames, &pushed);
    if (status == BC_OK) {
        features += pushed * bc_integer_n_features(fe);
        status = bc_integer_flush(fe, features, max_frames - pushed, &flushed);
    }
    *n_frames = pushed + flushed;
    return status;
}
