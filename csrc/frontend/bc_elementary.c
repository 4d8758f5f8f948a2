/* SPDX-License-Identifier: Apache-2.0
 *
 * sin, cos, log and exp in double precision from + - * / alone. Every IEEE 754 processor gives the
 * same bits, which no two C libraries promise. They serve to compute tables once.
 */
#include "bc_frontend_internal.h"

#define BC_PI_4 0.78539816339744830962
#define BC_LN2_HIGH 6.93147180369123816490e-01 /* the low 32 bits are 0, so n * BC_LN2_HIGH is exact */
#define BC_LN2_LOW 1.90821492927058770002e-10
#define BC_SQRT2 1.41421356237309504880

/* Taylor series on 0 <= x <= pi/4; the first term left out is below 1e-17. */
static double taylor_sin(double x) {
    double x2 = x * x, sum = 0.0;
    for (int k = 17; k >= 3; k -= 2) {
        sum = (1.0 + sum) * (-x2 / (double)(k * (k - 1)));
    }
    return x + x * sum;
}

static double taylor_cos(double x) {
    double x2 = x * x, sum = 0.0;
    for (int k = 18; k >= 2; k -= 2) {
        sum = (1.0 + sum) * (-x2 / (double)(k * (k - 1)));
    }
    return 1.0 + sum;
}

/* The turn is folded to its first octant in integers, so that no rounding precedes the series. */
double bc_sin_turn(uint32_t numerator, uint32_t denominator) {
    uint64_t eighths = (uint64_t)numerator * 8u;
    uint32_t octant = (uint32_t)(eighths / denominator);
    uint64_t rest = eighths - (uint64_t)octant * denominator;
    if (octant & 1u) {
        rest = denominator - rest;
    }
    double x = BC_PI_4 * ((double)rest / (double)denominator);
    int use_cos = ((octant + 1u) & 2u) != 0; /* octants 1, 2, 5, 6 */
    double value = use_cos ? taylor_cos(x) : taylor_sin(x);
    return (octant & 4u) ? -value : value;
}

double bc_cos_turn(uint32_t numerator, uint32_t denominator) {
    /* cos(t) = sin(t + 1/4 turn) */
    uint64_t shifted = ((uint64_t)numerator * 4u + denominator) % ((uint64_t)denominator * 4u);
    return bc_sin_turn((uint32_t)shifted, denominator * 4u);
}

static double from_bits(uint64_t bits) {
    union { uint64_t u; double d; } cast = {.u = bits};
    return cast.d;
}

static uint64_t to_bits(double x) {
    union { double d; uint64_t u; } cast = {.d = x};
    return cast.u;
}

double bc_log(double x) {
    uint64_t bits = to_bits(x);
    int exponent = (int)(bits >> 52) - 1023;
    double m = from_bits((bits & 0x000fffffffffffffu) | 0x3ff0000000000000u);
    if (m > BC_SQRT2) {
        m *= 0.5;
        exponent++;
    }
    /* ln m = 2 artanh(s), |s| < 0.172 */
    double s = (m - 1.0) / (m + 1.0), s2 = s * s, sum = 0.0;
    for (int k = 23; k >= 3; k -= 2) {
        sum = (sum + 1.0 / (double)k) * s2;
    }
    return (double)exponent * BC_LN2_HIGH + ((double)exponent * BC_LN2_LOW + 2.0 * (s + s * sum));
}

double bc_exp(double x) {
    double scaled = x * 1.44269504088896340736;
    int n = (int)(scaled < 0.0 ? scaled - 0.5 : scaled + 0.5);
    double r = (x - (double)n * BC_LN2_HIGH) - (double)n * BC_LN2_LOW;
    double sum = 0.0;
    for (int k = 15; k >= 1; k--) {
        sum = (1.0 + sum) * (r / (double)k);
    }
    return (1.0 + sum) * from_bits((uint64_t)(n + 1023) << 52);
}
