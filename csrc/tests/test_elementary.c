/* SPDX-License-Identifier: Apache-2.0
 *
 * The plain-arithmetic functions against the C library's, and the square root of the processor
 * against the one in integers. Exits with the number of failed claims.
 */
#include <math.h>
#include <stdio.h>

#include "../frontend/bc_frontend_internal.h"
#define BC_LANES 1
#include "../frontend/lanes.h"

static int failures;

static void claim(const char *what, double worst, double bound) {
    printf("%-44s worst %.3g, bound %.3g: %s\n", what, worst, bound, worst <= bound ? "ok" : "FAILED");
    failures += !(worst <= bound);
}

static void sine_and_cosine(void) {
    double worst = 0.0;
    const uint32_t lengths[] = {3, 5, 64, 400, 512, 1000, 4096};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        for (uint32_t n = 0; n < lengths[i]; n++) {
            double turn = 6.283185307179586476925 * n / lengths[i];
            worst = fmax(worst, fabs(bc_sin_turn(n, lengths[i]) - sin(turn)));
            worst = fmax(worst, fabs(bc_cos_turn(n, lengths[i]) - cos(turn)));
        }
    }
    claim("sin and cos of a turn, absolute error", worst, 1e-15);
}

static void logarithm_and_exponential(void) {
    double worst_log = 0.0, worst_exp = 0.0;
    for (double x = 1e-6; x < 1e7; x *= 1.0009) {
        worst_log = fmax(worst_log, fabs(bc_log(x) - log(x)) / fmax(1.0, fabs(log(x))));
        worst_exp = fmax(worst_exp, fabs(bc_exp(log(x)) / exp(log(x)) - 1.0));
    }
    claim("log, error relative to max(1, |log|)", worst_log, 4.5e-16);
    claim("exp, relative error", worst_exp, 1e-15);
}

static void float_logarithm(void) {
    double worst = 0.0;
    for (double d = 1.2e-38; d < 1e38; d *= 1.00003) {
        float x = (float)d;
        double exact = log((double)x);
        worst = fmax(worst, fabs((double)bc_vf_ln(x) - exact) / fmax(1.0, fabs(exact)));
    }
    claim("float ln, error relative to max(1, |ln|)", worst, 1.5e-7);
}

static void square_root(void) {
    int different = 0;
    uint32_t bits = 0x00800000u;
    for (; bits < 0x7f800000u; bits += 1237u) {
        float x = bc_vf_of_bits((int32_t)bits);
        different += bc_vf_bits(bc_sqrt_in_integers(x)) != bc_vf_bits(sqrtf(x));
    }
    different += bc_sqrt_in_integers(0.0f) != 0.0f;
    claim("square root in integers, results that differ", different, 0);
}

int main(void) {
    sine_and_cosine();
    logarithm_and_exponential();
    float_logarithm();
    square_root();
    return failures;
}
