/* SPDX-License-Identifier: Apache-2.0 */
#include "bc_tflm_internal.h"

size_t bc_tflm_ram_size(const bc_tflm_tables *tables) {
    if (tables == NULL) {
        return 0;
    }
    return BC_TFLM_RAM_SIZE((size_t)tables->win_length, (size_t)tables->n_fft, (size_t)tables->n_channels);
}

bc_status bc_tflm_init(bc_tflm *stream, const bc_tflm_tables *tables, void *ram, size_t ram_size) {
    if (stream == NULL || tables == NULL || ram == NULL) {
        return BC_NULL_POINTER;
    }
    if (ram_size < bc_tflm_ram_size(tables)) {
        return BC_RAM_TOO_SMALL;
    }
    uintptr_t base = ((uintptr_t)ram + 3u) & ~(uintptr_t)3u;
    uintptr_t noise = base + 2u * (uintptr_t)tables->n_fft;
    *stream = (bc_tflm){.tables = tables, .bins = (void *)base, .noise = (void *)noise,
                        .samples = (void *)(noise + 4u * (uintptr_t)tables->n_channels)};
    return bc_tflm_reset(stream);
}

bc_status bc_tflm_reset(bc_tflm *stream) {
    if (stream == NULL) {
        return BC_NULL_POINTER;
    }
    for (uint32_t i = 0; i < stream->tables->n_channels; i++) {
        stream->noise[i] = 0;
    }
    stream->next = 0;
    stream->missing = stream->tables->win_length;
    return BC_OK;
}

size_t bc_tflm_push_count(const bc_tflm *stream, size_t n_samples) {
    if (stream == NULL || n_samples < stream->missing) {
        return 0;
    }
    return (n_samples - stream->missing) / stream->tables->hop_length + 1u;
}

static void copy(int16_t *to, const int16_t *from, size_t n) {
    for (const int16_t *end = from + n; from != end;) {
        *to++ = *from++;
    }
}

/* n is at most win_length. */
static void take(bc_tflm *stream, const int16_t *pcm, size_t n) {
    size_t next = stream->next, to_end = stream->tables->win_length - next;
    size_t first = n < to_end ? n : to_end;
    copy(stream->samples + next, pcm, first);
    copy(stream->samples, pcm + first, n - first);
    stream->next = (uint32_t)(first < to_end ? next + n : n - first);
}

bc_status bc_tflm_push(bc_tflm *stream, const int16_t *pcm, size_t n_samples, uint16_t *features,
                       size_t max_frames, size_t *n_frames) {
    if (stream == NULL || (pcm == NULL && n_samples != 0) || n_frames == NULL) {
        return BC_NULL_POINTER;
    }
    size_t count = bc_tflm_push_count(stream, n_samples);
    if (count > max_frames || (count != 0 && features == NULL)) {
        return BC_OUTPUT_TOO_SMALL;
    }
    const bc_tflm_tables *tables = stream->tables;
    for (size_t i = 0; i < count; i++) {
        take(stream, pcm, stream->missing);
        pcm += stream->missing;
        n_samples -= stream->missing;
        stream->missing = tables->hop_length;
        uint32_t shift = bc_tflm_window(stream);
        bc_tflm_fft(tables, stream->bins, shift);
        bc_tflm_energies(tables, stream->bins);
        bc_tflm_channels(stream, shift, features + i * tables->n_channels);
    }
    take(stream, pcm, n_samples);
    stream->missing -= (uint32_t)n_samples;
    *n_frames = count;
    return BC_OK;
}
