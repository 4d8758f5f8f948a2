/* SPDX-License-Identifier: Apache-2.0
 *
 * What bc_integer holds, and how its numbers are scaled.
 *
 * Everywhere in this folder >> of a negative number is arithmetic (it rounds down), as on every
 * compiler that the library supports.
 */
#ifndef BC_INTEGER_INTERNAL_H
#define BC_INTEGER_INTERNAL_H

#include <babycry/integer.h>

_Static_assert((-3 >> 1) == -2, ">> of a negative number must be arithmetic");

/* A level is a logarithm (dB or ln) in 1/256 of the feature's unit. */
#define BC_LEVEL_BITS 8
/* log2 of a band is in 1/2^20. */
#define BC_LOG2_BITS 20

#define BC_INTEGER_ALIGNMENT 8u

#define BC_INLINE static inline __attribute__((always_inline))
#define BC_APART static __attribute__((noinline)) /* its loop wants all registers */

typedef struct bc_complex {
    int32_t re, im;
} bc_complex;

/* The history holds the frame that is being filled, with one sample more on each side of it, which a
 * mirrored end needs. All its numbers are small, so that no 64-bit division is wanted. */
typedef struct bc_integer_state {
    const bc_integer_tables *tables;
    bc_complex *work;     /* [n_fft / 2] */
    int16_t *history;     /* [n_fft + 4]; the frame starts at BC_BEFORE */
    int32_t *levels;      /* [n_mels], for MFCC */
    uint32_t filled;      /* samples of the padded stream from the frame's start on */
    uint32_t skip;        /* samples to drop before the frame's start */
    uint32_t is_first;    /* no frame has been given yet */
} bc_integer_state;

_Static_assert(sizeof(bc_integer_state) <= sizeof(bc_integer), "bc_integer must hold its state");

#define BC_BEFORE 2u /* even, so that the frame is aligned to words; history[BC_BEFORE - 1] is used */

/* Where rows go: s16, or s8 with its kind. */
typedef struct bc_rows {
    int16_t *s16;
    int8_t *s8;
    const bc_integer_int8 *kind;
} bc_rows;

/* bc_integer_fft.c: windowed samples -> power or magnitude of bins 1 .. n_fft/2 - 1, as high and low
 * word in place of bin k. Returns the power of two that the samples were multiplied with. */
int32_t bc_integer_spectrum(const bc_integer_tables *tables, const int16_t *samples, bc_complex *z);

/* bc_integer_row.c: spectrum -> row number row. */
void bc_integer_row(const bc_integer_state *state, int32_t exponent, const bc_rows *rows, size_t row);

static inline int32_t bc_high_word(int64_t x) { return (int32_t)(x >> 32); }

/* a * b in full; and a 32-bit word, taken as unsigned, times 16 bits. */
#if defined(__ARM_ARCH_6M__) || defined(BC_NARROW_PRODUCTS)
/* The processor multiplies to 32 bits only: by halves, which spares a third of a frame's instructions against
 * the compiler's own routine. */
__attribute__((noinline, unused)) static int64_t bc_product(int32_t a, int32_t b) {
    uint32_t a_low = (uint32_t)a & 0xffffu, b_low = (uint32_t)b & 0xffffu, low = a_low * b_low;
    int32_t a_high = a >> 16, b_high = b >> 16;
    int32_t middle = a_high * (int32_t)b_low + (int32_t)(low >> 16);
    int32_t middle2 = (int32_t)a_low * b_high + (middle & 0xffff);
    int32_t high = a_high * b_high + (middle >> 16) + (middle2 >> 16);
    return (int64_t)((uint64_t)(uint32_t)high << 32 | (uint32_t)middle2 << 16 | (low & 0xffffu));
}

static inline int64_t bc_weighted(int32_t word, uint32_t weight) {
    uint32_t low = ((uint32_t)word & 0xffffu) * weight, high = ((uint32_t)word >> 16) * weight;
    return (int64_t)(((uint64_t)high << 16) + low);
}
#else
static inline int64_t bc_product(int32_t a, int32_t b) { return (int64_t)a * b; }

/* Signed, because compilers are free to add unsigned products up first, which costs additions. */
static inline int64_t bc_weighted(int32_t word, uint32_t weight) {
    return (int64_t)((uint64_t)(uint32_t)word * weight);
}
#endif

#endif
