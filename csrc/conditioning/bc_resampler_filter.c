/* SPDX-License-Identifier: Apache-2.0
 *
 * The inner loops, compiled once per instruction set with BC_LANES floats in a vector. The sharp
 * stage has one output in each lane and sums its taps from the outermost inwards, small products
 * first; the rational stage has four partial sums on every target.
 */
#include "bc_resampler_internal.h"

#define BC_INLINE static inline __attribute__((always_inline))
#define BC_JOIN(a, b) a##b
#define BC_NAME(isa) BC_JOIN(bc_resampler_, isa)
#define BC_TEXT(isa) #isa
#define BC_ISA_TEXT(isa) BC_TEXT(isa)

#if BC_LANES == 1
typedef float vector;
#else
typedef float vector __attribute__((vector_size(4 * BC_LANES)));
#endif

#define BC_UNROLL 4

BC_INLINE vector load(const float *p) {
    vector x;
    __builtin_memcpy(&x, p, sizeof x);
    return x;
}

BC_INLINE void store(float *p, vector x) { __builtin_memcpy(p, &x, sizeof x); }

BC_INLINE void flush_tiny(float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float magnitude = x[i] < 0.0f ? -x[i] : x[i];
        x[i] = magnitude < BC_TINY ? 0.0f : x[i];
    }
}

/* n vectors of outputs, each output on its own; even and odd point to the middle of the first output's samples. */
BC_INLINE void halve_vectors(const float *sharp, const float *even, const float *odd, float *out, const size_t n) {
    vector sum[BC_UNROLL];
    for (size_t v = 0; v < n; v++) {
        sum[v] = (vector){0};
    }
    for (ptrdiff_t j = BC_SHARP - 1; j >= 0; j--) {
        float near = sharp[2 * j], far = sharp[2 * j + 1];
        for (size_t v = 0; v < n; v++) {
            const float *o = odd + v * BC_LANES, *e = even + v * BC_LANES;
            sum[v] += far * (load(o - 1 - j) + load(o + j));
            sum[v] += near * (load(e - j) + load(e + j));
        }
    }
    for (size_t v = 0; v < n; v++) {
        store(out + v * BC_LANES, sum[v]);
    }
}

BC_INLINE void halve_one(const float *sharp, const float *even, const float *odd, float *out) {
    float sum = 0.0f;
    for (ptrdiff_t j = BC_SHARP - 1; j >= 0; j--) {
        sum += sharp[2 * j + 1] * (odd[-1 - j] + odd[j]);
        sum += sharp[2 * j] * (even[-j] + even[j]);
    }
    *out = sum;
}

static void halve(const float *sharp, const float *even, const float *odd, float *out, size_t count) {
    size_t m = 0;
    even += BC_SHARP;
    odd += BC_SHARP;
    for (; m + BC_UNROLL * BC_LANES <= count; m += BC_UNROLL * BC_LANES) {
        halve_vectors(sharp, even + m, odd + m, out + m, BC_UNROLL);
    }
    for (; m + BC_LANES <= count; m += BC_LANES) {
        halve_vectors(sharp, even + m, odd + m, out + m, 1);
    }
    if (m < count && count >= BC_LANES) { /* the last vector again covers what is left */
        m = count - BC_LANES;
        halve_vectors(sharp, even + m, odd + m, out + m, 1);
        return;
    }
    for (; m < count; m++) {
        halve_one(sharp, even + m, odd + m, out + m);
    }
}

/* The doubled rate's even and odd samples are two filters of the same input. The zeros between the
 * inputs take half of the level, which the factor 2 gives back exactly. */
BC_INLINE void twice_vectors(const float *sharp, const float *in, float *out, const size_t n) {
    vector even[BC_UNROLL], odd[BC_UNROLL];
    for (size_t v = 0; v < n; v++) {
        even[v] = odd[v] = (vector){0};
    }
    for (ptrdiff_t j = BC_SHARP - 1; j >= 0; j--) {
        float near = sharp[2 * j], far = sharp[2 * j + 1];
        for (size_t v = 0; v < n; v++) {
            const float *x = in + v * BC_LANES;
            odd[v] += far * (load(x - j) + load(x + 1 + j));
            even[v] += near * (load(x - j) + load(x + j));
        }
    }
    for (size_t v = 0; v < n; v++) {
        float pair[2][BC_LANES];
        store(pair[0], 2.0f * even[v]);
        store(pair[1], 2.0f * odd[v]);
        for (size_t i = 0; i < BC_LANES; i++) {
            out[2 * (v * BC_LANES + i)] = pair[0][i];
            out[2 * (v * BC_LANES + i) + 1] = pair[1][i];
        }
    }
}

BC_INLINE void twice_one(const float *sharp, const float *in, float *out) {
    float even = 0.0f, odd = 0.0f;
    for (ptrdiff_t j = BC_SHARP - 1; j >= 0; j--) {
        odd += sharp[2 * j + 1] * (in[-j] + in[1 + j]);
        even += sharp[2 * j] * (in[-j] + in[j]);
    }
    out[0] = 2.0f * even;
    out[1] = 2.0f * odd;
}

static void twice(const float *sharp, const float *in, float *out, size_t count) {
    size_t m = 0;
    in += BC_SHARP - 1;
    for (; m + 2 * BC_LANES <= count; m += 2 * BC_LANES) {
        twice_vectors(sharp, in + m, out + 2 * m, 2);
    }
    if (m < count && count >= 2 * BC_LANES) {
        m = count - 2 * BC_LANES;
        twice_vectors(sharp, in + m, out + 2 * m, 2);
        m = count;
    }
    for (; m < count; m++) {
        twice_one(sharp, in + m, out + 2 * m);
    }
    flush_tiny(out, 2 * count);
}

/* Where the rational stage is. */
typedef struct place {
    const float *phases, *in;
    uint32_t n_taps, up, whole, rest, at, phase;
} place;

BC_INLINE void step(place *here) {
    here->at += here->whole;
    here->phase += here->rest;
    if (here->phase >= here->up) {
        here->phase -= here->up;
        here->at++;
    }
}

#if BC_LANES == 1

/* Sums i, i + 4, i + 8, ... for i = 0 to 3; step is -1 where the samples are read backwards. */
BC_INLINE float dot(const float *taps, uint32_t n_taps, const float *in, ptrdiff_t stride) {
    float a = 0.0f, b = 0.0f, c = 0.0f, d = 0.0f;
    for (uint32_t i = 0; i < n_taps; i += 4) {
        a += taps[i] * in[0];
        b += taps[i + 1] * in[stride];
        c += taps[i + 2] * in[2 * stride];
        d += taps[i + 3] * in[3 * stride];
        in += 4 * stride;
    }
    return (a + c) + (b + d);
}

BC_INLINE float next_output(place *here) {
    const float *in = here->in + here->at;
    uint32_t n_taps = here->n_taps, phase = here->phase;
    float sum;
    if (phase <= here->up / 2u) {
        sum = dot(here->phases + (size_t)phase * n_taps, n_taps, in, 1);
    } else {
        sum = dot(here->phases + (size_t)(here->up - phase) * n_taps, n_taps, in + n_taps - 1, -1);
    }
    step(here);
    return sum;
}

BC_INLINE void next_outputs(place *here, float *out, size_t count) {
    for (size_t i = 0; i < count; i++) {
        out[i] = next_output(here);
    }
}

#else

typedef float quad __attribute__((vector_size(16)));
typedef int32_t quad_index __attribute__((vector_size(16)));

#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#else
#define SHUFFLE(x, y, ...) __builtin_shuffle(x, y, (quad_index){__VA_ARGS__})
#endif

BC_INLINE quad load_quad(const float *p) {
    quad x;
    __builtin_memcpy(&x, p, sizeof x);
    return x;
}

/* The four partial sums of one output. */
BC_INLINE quad next_sums(place *here) {
    const float *in = here->in + here->at;
    uint32_t n_taps = here->n_taps, phase = here->phase;
    quad sum = {0};
    if (phase <= here->up / 2u) {
        const float *taps = here->phases + (size_t)phase * n_taps;
        for (uint32_t i = 0; i < n_taps; i += 4) {
            sum += load_quad(taps + i) * load_quad(in + i);
        }
    } else {
        const float *taps = here->phases + (size_t)(here->up - phase) * n_taps;
        in += n_taps - 4u;
        for (uint32_t i = 0; i < n_taps; i += 4, in -= 4) {
            quad x = load_quad(in);
            sum += load_quad(taps + i) * SHUFFLE(x, x, 3, 2, 1, 0);
        }
    }
    step(here);
    return sum;
}

/* Four outputs at a time share the additions across their partial sums. */
BC_INLINE void next_outputs(place *here, float *out, size_t count) {
    for (; count >= 4; count -= 4, out += 4) {
        quad p = next_sums(here), q = next_sums(here), r = next_sums(here), s = next_sums(here);
        quad pq = SHUFFLE(p, q, 0, 1, 4, 5) + SHUFFLE(p, q, 2, 3, 6, 7); /* a + c, b + d of p and q */
        quad rs = SHUFFLE(r, s, 0, 1, 4, 5) + SHUFFLE(r, s, 2, 3, 6, 7);
        quad sum = SHUFFLE(pq, rs, 0, 2, 4, 6) + SHUFFLE(pq, rs, 1, 3, 5, 7);
        __builtin_memcpy(out, &sum, sizeof sum);
    }
    for (; count > 0; count--, out++) {
        quad x = next_sums(here);
        *out = (x[0] + x[2]) + (x[1] + x[3]);
    }
}

#endif

static void rational(const float *phases, const bc_ratio *ratio, const float *in, uint32_t *at,
                     uint32_t *phase, float *out, size_t count) {
    place here = {.phases = phases, .in = in, .n_taps = ratio->n_taps, .up = ratio->up,
                  .whole = ratio->down / ratio->up, .rest = ratio->down % ratio->up,
                  .at = *at, .phase = *phase};
    next_outputs(&here, out, count);
    *at = here.at;
    *phase = here.phase;
    flush_tiny(out, count);
}

bc_resampler_kernels BC_NAME(BC_ISA)(void) {
    return (bc_resampler_kernels){BC_ISA_TEXT(BC_ISA), halve, twice, rational};
}
