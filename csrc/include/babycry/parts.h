/* SPDX-License-Identifier: Apache-2.0
 *
 * A long clip in parts, for threads with a bc_frontend each: any division gives the bits of
 * bc_frontend_compute. Each thread computes raw rows (bands, then descriptors) of its run of frames; then one
 * of them finishes the rows of all.
 */
#ifndef BABYCRY_PARTS_H
#define BABYCRY_PARTS_H

#include <babycry/frontend.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Floats in a raw row. */
size_t bc_frontend_raw_width(const bc_frontend *fe);

/* Raw rows of frames first .. first + n_rows - 1 of the clip. BC_OUTPUT_TOO_SMALL: it has not so many frames. */
bc_status bc_frontend_compute_raw(bc_frontend *fe, const float *pcm, size_t n_samples, size_t first, size_t n_rows,
                                  float *rows);
bc_status bc_frontend_compute_raw_int16(bc_frontend *fe, const int16_t *pcm, size_t n_samples, size_t first,
                                        size_t n_rows, float *rows);

/* room holds bc_frontend_room(fe, n_frames) floats, the raw rows of all frames at its end; the features come to
 * stand at its start, *n_rows of them. */
bc_status bc_frontend_finish_raw(bc_frontend *fe, float *room, size_t n_frames, size_t *n_rows);

#ifdef __cplusplus
}
#endif

#endif
