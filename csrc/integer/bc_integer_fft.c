/* SPDX-License-Identifier: Apache-2.0
 *
 * Samples -> spectrum, in 32-bit integers with 64-bit products of which the high word is kept.
 *
 * The frame is shifted left until its largest sample fills 16 bits. Windowed samples lie below 2^29
 * (2^30 where the first stage has radix 2), and the sum of four Hann weights a quarter of a frame apart
 * is at most 2, so the first stage leaves complex numbers of modulus below 2^31. Every later stage divides by
 * 4, the last by 8, at no cost: the twiddles are that much smaller, and a shift comes with an addition.
 */
#include "bc_integer_internal.h"

/* gcc's first scheduling pass spreads the loads out and runs out of registers: a quarter more instructions on
 * a Cortex-M. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-schedule-insns")
#endif

/* (re + i im) * (c - i s) / 2^32 */
BC_INLINE bc_complex rotate(bc_complex a, int32_t c, int32_t s) {
    return (bc_complex){bc_high_word(bc_product(a.re, c) + bc_product(a.im, s)),
                        bc_high_word(bc_product(a.im, c) + bc_product(-a.re, s))};
}

BC_INLINE bc_complex add(bc_complex a, bc_complex b) { return (bc_complex){a.re + b.re, a.im + b.im}; }
BC_INLINE bc_complex sub(bc_complex a, bc_complex b) { return (bc_complex){a.re - b.re, a.im - b.im}; }
BC_INLINE bc_complex shifted(bc_complex a, int shift) { return (bc_complex){a.re >> shift, a.im >> shift}; }

/* Both words at once: one store of two registers where the processor has it, which gcc finds only if both are
 * ready. */
BC_INLINE void put(bc_complex *z, bc_complex a) {
    __asm__("" : "+r"(a.re), "+r"(a.im));
    *z = a;
}

/* The transform of four numbers, in two halves, so that few of them are alive at once: 13 registers hold them.
 * pair_ is b - d. */
BC_INLINE void join(bc_complex *z, size_t span, bc_complex a, bc_complex c, bc_complex pair, bc_complex pair_) {
    bc_complex sum = add(a, c), difference = sub(a, c);
    put(z, add(sum, pair));
    put(z + 2 * span, sub(sum, pair));
    put(z + span, (bc_complex){difference.re + pair_.im, difference.im - pair_.re});
    put(z + 3 * span, (bc_complex){difference.re - pair_.im, difference.im + pair_.re});
}

/* Joins transforms of length span to transforms of length 4 * span, dividing by 2^shift. */
BC_INLINE void stage(bc_complex *z, size_t n, size_t span, int shift, const int32_t *twiddles) {
    for (const bc_complex *end = z + n; z < end; z += 3 * span) {
        bc_complex b0 = shifted(z[span], shift), d0 = shifted(z[3 * span], shift);
        join(z, span, shifted(z[0], shift), shifted(z[2 * span], shift), add(b0, d0), sub(b0, d0));
        z++;
        const int32_t *w = twiddles;
        for (const bc_complex *last = z + span - 1; z < last; z++, w += 6) {
            bc_complex b = rotate(z[span], w[0], w[1]);
            bc_complex d = rotate(z[3 * span], w[4], w[5]);
            bc_complex pair = add(b, d), pair_ = sub(b, d);
            bc_complex c = rotate(z[2 * span], w[2], w[3]);
            join(z, span, shifted(z[0], shift), c, pair, pair_);
        }
    }
}

BC_APART void stages(const bc_integer_tables *t, bc_complex *z) {
    size_t n = (size_t)t->n_fft / 2u, span = (size_t)t->first_radix;
    const int32_t *w = t->twiddles;
    for (; span * 4u < n; span *= 4u) {
        stage(z, n, span, 2, w);
        w += 6 * (span - 1u);
    }
    stage(z, n, span, 3, w);
}

/* The two samples at x under the window's weights at w, as one complex number. */
BC_INLINE bc_complex windowed(const int16_t *x, const int32_t *w, uint32_t shift) {
    int32_t even = (int32_t)((uint32_t)x[0] << shift), odd = (int32_t)((uint32_t)x[1] << shift);
    return (bc_complex){bc_high_word(bc_product(even, w[0])), bc_high_word(bc_product(odd, w[1]))};
}

/* Window and first stage. The samples are fetched in the order that the later stages want, and the window's
 * weights stand in that order. */
BC_APART void load4(const bc_integer_tables *t, const int16_t *samples, uint32_t shift, bc_complex *z) {
    const int32_t *w = t->window;
    const uint16_t *order = t->order;
    size_t step = (size_t)t->n_fft / 4u;
    for (const bc_complex *end = z + t->n_fft / 2; z < end; z += 4, w += 8) {
        const int16_t *x = samples + *order++;
        bc_complex b = windowed(x + step, w, shift), d = windowed(x + 3 * step, w + 2, shift);
        bc_complex pair = add(b, d), pair_ = sub(b, d);
        bc_complex a = windowed(x, w + 4, shift), c = windowed(x + 2 * step, w + 6, shift);
        join(z, 1, a, c, pair, pair_);
    }
}

BC_APART void load2(const bc_integer_tables *t, const int16_t *samples, uint32_t shift, bc_complex *z) {
    const int32_t *w = t->window;
    const uint16_t *order = t->order;
    size_t step = (size_t)t->n_fft / 2u;
    for (const bc_complex *end = z + t->n_fft / 2; z < end; z += 2, w += 4) {
        const int16_t *x = samples + *order++;
        bc_complex b = windowed(x + step, w, shift), a = windowed(x, w + 2, shift);
        z[0] = add(a, b);
        z[1] = sub(a, b);
    }
}

/* The bits of all samples that differ from their sign: the top one that is set says how far the frame can be
 * shifted. Two samples at a time; bit 0 of each, which mixes with its neighbour, is not looked at. */
BC_APART int32_t spare_bits(const int16_t *x, size_t n) {
    uint32_t used = 2u;
    size_t i = 0;
    if (((uintptr_t)x & 3u) == 0) {
        for (; i + 8u <= n; i += 8u) {
            uint32_t w[4];
            __builtin_memcpy(w, __builtin_assume_aligned(x + i, 4), sizeof w);
            used |= (w[0] ^ (w[0] << 1)) | (w[1] ^ (w[1] << 1)) | (w[2] ^ (w[2] << 1)) | (w[3] ^ (w[3] << 1));
        }
    }
    for (; i < n; i++) {
        uint32_t sample = (uint16_t)x[i];
        used |= sample ^ (sample << 1 & 0xffffu);
    }
    used = (used | used >> 16) & 0xfffeu;
    return __builtin_clz(used) - 16;
}

/* Real FFT's last step: bins k and n/2 - k from the transform of even samples + i * odd samples. */
BC_INLINE void power(bc_complex *out, bc_complex bin) {
    uint64_t p = (uint64_t)(bc_product(bin.re, bin.re) + bc_product(bin.im, bin.im));
    put(out, (bc_complex){(int32_t)(uint32_t)(p >> 32), (int32_t)(uint32_t)p});
}

BC_APART void split(const bc_integer_tables *t, bc_complex *z) {
    bc_complex *low = z + 1, *high = z + t->n_fft / 2 - 1;
    const int32_t *w = t->split;
    for (; low < high; low++, high--, w += 2) {
        bc_complex a = *low, b = *high, even = {a.re + b.re, a.im - b.im};
        bc_complex odd = rotate((bc_complex){a.im + b.im, b.re - a.re}, w[0], w[1]);
        power(low, (bc_complex){odd.re + (even.re >> 1), odd.im + (even.im >> 1)});
        power(high, (bc_complex){(even.re >> 1) - odd.re, (even.im >> 1) - odd.im});
    }
    power(low, *low);
}

/* sqrt(power) * 2^16, by a straight line in each of 96 steps: within 2^-15 of itself. */
BC_APART void magnitudes(const bc_integer_tables *t, bc_complex *z) {
    for (bc_complex *end = z + t->n_fft / 2; ++z < end;) {
        uint64_t p = (uint64_t)(uint32_t)z->re << 32 | (uint32_t)z->im;
        if (p == 0) {
            continue;
        }
        int shift = __builtin_clzll(p) & ~1;
        uint32_t m = (uint32_t)(p << shift >> 32); /* 2^30 .. 2^32 */
        uint32_t low = t->sqrt_steps[(m >> 25) - 32u], next = t->sqrt_steps[(m >> 25) - 31u];
        uint32_t root = low + (uint32_t)((uint64_t)(next - low) * (m << 7) >> 32); /* 2^30 .. 2^31 */
        uint64_t magnitude = (uint64_t)root << 17 >> (shift / 2);
        *z = (bc_complex){(int32_t)(uint32_t)(magnitude >> 32), (int32_t)(uint32_t)magnitude};
    }
}

int32_t bc_integer_spectrum(const bc_integer_tables *t, const int16_t *samples, bc_complex *z) {
    int32_t exponent = spare_bits(samples + t->window_start, (size_t)t->window_length);
    uint32_t shift = (uint32_t)(t->sample_shift + exponent);
    if (t->first_radix == 4) {
        load4(t, samples, shift, z);
    } else {
        load2(t, samples, shift, z);
    }
    stages(t, z);
    split(t, z);
    if (t->magnitude) {
        magnitudes(t, z);
    }
    return exponent;
}
