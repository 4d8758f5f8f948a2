/* SPDX-License-Identifier: Apache-2.0
 *
 * Sliding windows of features from a stream, for what depends on a whole clip: ref = max, top_db, Whisper's
 * maximum, differences, normalisation, pooling. Each window's features equal those of bc_frontend_compute over
 * that window's samples bit for bit; a frame that lies inside is computed once for all its windows, and only
 * frames that reach past a window's ends (centred and mirrored framing) are computed for it alone.
 */
#ifndef BABYCRY_WINDOWS_H
#define BABYCRY_WINDOWS_H

#include <babycry/frontend.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bc_windows {
    uint64_t opaque[12];
} bc_windows;

/* Bytes of RAM for windows of n_samples samples; 0 if they give no frame. */
size_t bc_windows_ram_size(const bc_frontend *fe, size_t n_samples);

/* Windows of n_samples samples, one every hop_frames frames. fe, initialised, lends its tables and working
 * memory: it and ram belong to w from now on. */
bc_status bc_windows_init(bc_windows *w, bc_frontend *fe, size_t n_samples, size_t hop_frames, void *ram,
                          size_t ram_size);

/* Floats for which a buffer for one window's features must have room, and the rows that they come in. */
size_t bc_windows_room(const bc_windows *w);
size_t bc_windows_row_count(const bc_windows *w);

/* Takes samples up to the end of the next window, or all of them: *taken of them. *ready: whether that window's
 * rows are in features; then call again with the rest. */
bc_status bc_windows_push(bc_windows *w, const int16_t *pcm, size_t n_samples, float *features, size_t *taken,
                          int *ready);
bc_status bc_windows_push_float(bc_windows *w, const float *pcm, size_t n_samples, float *features, size_t *taken,
                                int *ready);

/* Windows that pushing n_samples now would complete. */
size_t bc_windows_push_count(const bc_windows *w, size_t n_samples);

/* Forgets all samples: a new stream. */
void bc_windows_reset(bc_windows *w);

#ifdef __cplusplus
}
#endif

#endif
