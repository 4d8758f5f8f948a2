/* SPDX-License-Identifier: Apache-2.0
 *
 * The steps of one frame. `>>` of a negative number is taken to be arithmetic, and a conversion to
 * a narrower signed type to wrap: both hold on every compiler that this library is built with.
 */
#ifndef BC_TFLM_INTERNAL_H
#define BC_TFLM_INTERNAL_H

#include <babycry/tflm.h>

/* One bin: a complex number of the FFT, later its energy. */
typedef union bc_tflm_bin {
    struct {
        int16_t re;
        int16_t im;
    } z;
    uint32_t word; /* energy; or z, real part in the low half, where the processor is little-endian */
} bc_tflm_bin;

#define BC_TFLM_ONE_BITS 12 /* of window and filter weights: 4096 is one */
#define BC_TFLM_NOISE_BITS 14
#define BC_TFLM_NOISE_SCALE_BITS 10
#define BC_TFLM_CURVE_BITS 7

/* Windows the ring's samples into the bins, in the FFT's input order, the rest of them zero.
 * Returns how far the samples can be shifted to the left without loss: 0 to 15. */
uint32_t bc_tflm_window(const bc_tflm *stream);

/* The bins' complex FFT, after a shift of the samples to the left. */
void bc_tflm_fft(const bc_tflm_tables *tables, bc_tflm_bin *bins, uint32_t shift);

/* From the complex FFT to the energies of the real FFT's bins 1 to n_fft/2 - 1. */
void bc_tflm_energies(const bc_tflm_tables *tables, bc_tflm_bin *bins);

/* From energies to one row of features; moves the noise level on. */
void bc_tflm_channels(const bc_tflm *stream, uint32_t shift, uint16_t *features);

/* The square root rounded to nearest, at most 65535 for n below 2^32. n is below 2^62. */
uint32_t bc_tflm_root(uint64_t n);

#endif
