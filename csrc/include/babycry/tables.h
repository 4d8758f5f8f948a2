/* SPDX-License-Identifier: Apache-2.0
 *
 * A front-end's constant tables outside its RAM: `babycry-edge export --frontend-only` writes them as C
 * source for flash, computed once on the host, so that a device computes none and wants only working
 * memory. bc_frontend_init makes the same tables, bit for bit, in RAM.
 */
#ifndef BABYCRY_TABLES_H
#define BABYCRY_TABLES_H

#include <babycry/frontend.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Each array comes after its number of elements. */
typedef struct bc_frontend_tables {
    bc_frontend_config config;
    float ref_level; /* 10*log10(max(ref, amin)) */
    uint32_t n_position;
    const uint16_t *position; /* where complex input number i of the FFT goes */
    uint32_t n_twiddles;
    const float *twiddles; /* stage after stage; in each, for j = 1 .. radix-1, cosines and then negative sines */
    uint32_t n_split;
    const float *split; /* of the real FFT's last step: cosines of bins 0 .. n_fft/4, then sines */
    uint32_t n_window;
    const float *window; /* halved */
    uint32_t n_leak;
    const float *leak; /* the spectrum of a window shorter than n_fft: real parts of bins 0 .. n_fft/2, then imaginary */
    uint32_t n_bands;
    const uint16_t *bands; /* of four bands each: their first bins, and how many bins the widest has */
    uint32_t n_weights;
    const float *weights; /* of four bands side by side, up to that many bins; then the next four */
    uint32_t n_dct;
    const float *dct; /* [n_mels][n_mfcc], lifter included */
} bc_frontend_tables;

/* Bytes of memory that bc_frontend_make_tables fills; 0 if cfg is at fault. */
size_t bc_frontend_tables_size(const bc_frontend_config *cfg);

/* Computes the tables of cfg into memory (aligned to 4 bytes), which tables then points into. */
bc_status bc_frontend_make_tables(bc_frontend_tables *tables, const bc_frontend_config *cfg, void *memory,
                                  size_t size);

/* Bytes of RAM that bc_frontend_init_tables wants; 0 if the tables' configuration is at fault. */
size_t bc_frontend_work_size(const bc_frontend_tables *tables);

/* As bc_frontend_init, with tables that the caller keeps. */
bc_status bc_frontend_init_tables(bc_frontend *fe, const bc_frontend_tables *tables, void *ram,
                                  size_t ram_size);

/* bc_frontend_work_size as a constant, for the size of a static array, on targets without SIMD across
 * frames (Cortex-M, ARMv7, RISC-V, WebAssembly) and for a configuration without PCEN and pooling:
 *     static unsigned char ram[BC_FRONTEND_WORK_SIZE(512, 64)];
 * row is n_mels plus the descriptors; with cepstra n_mels + n_mfcc plus twice the descriptors. */
#define BC_FRONTEND_WORK_SIZE(n_fft, row) (4u * (3u * (n_fft) + 1u + (row)) + 15u)

#ifdef __cplusplus
}
#endif

#endif
