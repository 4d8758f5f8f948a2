/* SPDX-License-Identifier: Apache-2.0
 *
 * Both filters are sinc functions under a Kaiser window of 108 dB, computed in double from
 * + - * / alone.
 */
#include "bc_resampler_internal.h"

#define BC_KAISER_BETA 10.942860 /* 0.1102 (108 - 8.7) */
#define BC_PI 3.14159265358979323846

/* The sharp filter's cut-off in cycles per sample of the doubled rate, 0.9565 of the lower Nyquist
 * frequency: the middle of a transition from 0.913 to 1. */
#define BC_SHARP_CUTOFF_NUMERATOR 1913u
#define BC_SHARP_CUTOFF_DENOMINATOR 8000u

/* Half the window of the rational stage, in hundredths of a sample of its lower rate:
 * (108 - 7.95) / (2.285 * 2 pi), since its transition is as wide as that rate. */
#define BC_WIDE_TAPS 697u

static uint32_t common_factor(uint32_t a, uint32_t b) {
    while (b != 0) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

bc_status bc_resampler_check(int32_t in_rate, int32_t out_rate) {
    if (in_rate < 1000 || in_rate > 384000) {
        return BC_BAD_IN_RATE;
    }
    return out_rate < 1000 || out_rate > 384000 ? BC_BAD_OUT_RATE : BC_OK;
}

bc_direction bc_direction_of(int32_t in_rate, int32_t out_rate) {
    return in_rate == out_rate ? BC_SAME_RATE : in_rate > out_rate ? BC_DOWN : BC_UP;
}

bc_ratio bc_rational_stage(int32_t in_rate, int32_t out_rate) {
    uint32_t from = (uint32_t)in_rate, to = (uint32_t)out_rate;
    bc_ratio ratio = {.up = 1, .down = 1};
    uint32_t hundredths = BC_WIDE_TAPS * 2u; /* upwards: the lower rate is half of what it reads */
    if (from > to) {
        hundredths = BC_WIDE_TAPS * from / to;
        to *= 2u;
    } else {
        from *= 2u;
    }
    if (in_rate != out_rate && from != to) {
        uint32_t factor = common_factor(from, to);
        ratio.up = to / factor;
        ratio.down = from / factor;
        ratio.n_taps = (hundredths / 400u + 1u) * 4u;
    }
    return ratio;
}

/* Phase up - p is phase p backwards, so that only phases 0 to up / 2 are kept. */
size_t bc_phases_count(const bc_ratio *ratio) { return (size_t)(ratio->up / 2u + 1u) * ratio->n_taps; }

size_t bc_resampler_tables_size(int32_t in_rate, int32_t out_rate) {
    if (bc_resampler_check(in_rate, out_rate) != BC_OK) {
        return 0;
    }
    if (in_rate == out_rate) {
        return 0;
    }
    bc_ratio ratio = bc_rational_stage(in_rate, out_rate);
    return (2u * BC_SHARP + bc_phases_count(&ratio)) * sizeof(float) + sizeof(float) - 1u;
}

/* The modified Bessel function I0(beta sqrt(1 - position^2)) by its power series. */
static double bessel(double position) {
    double quarter = 0.25 * BC_KAISER_BETA * BC_KAISER_BETA * (1.0 - position * position);
    double term = 1.0, sum = 1.0;
    for (int k = 1; term > 1e-17 * sum; k++) { /* below that the sum stays as it is */
        term *= quarter / (double)(k * k);
        sum += term;
    }
    return sum;
}

/* 2 fc sinc(2 fc t) under the window, where fc t = numerator / denominator, and cutoff is 2 fc;
 * position is t over half the window's length, bessel_0 the value in its middle. */
static double tap(uint64_t numerator, uint32_t denominator, double cutoff, double position,
                  double bessel_0) {
    if (numerator == 0) {
        return cutoff;
    }
    double turns = (double)numerator / (double)denominator;
    double sinc = bc_sin_turn((uint32_t)(numerator % denominator), denominator) / (2.0 * BC_PI * turns);
    return position < 1.0 ? cutoff * sinc * bessel(position) / bessel_0 : 0.0;
}

static float coefficient(double value) {
    float rounded = (float)value;
    return rounded < 1e-9f && rounded > -1e-9f ? 0.0f : rounded;
}

/* Tap 0 is halved, since the sharp stage adds the two samples beside each other at every tap. */
static void sharp_table(float *sharp) {
    double cutoff = 2.0 * BC_SHARP_CUTOFF_NUMERATOR / (double)BC_SHARP_CUTOFF_DENOMINATOR;
    double bessel_0 = bessel(0.0);
    for (uint32_t k = 0; k < 2u * BC_SHARP; k++) {
        double value = tap((uint64_t)BC_SHARP_CUTOFF_NUMERATOR * k, BC_SHARP_CUTOFF_DENOMINATOR, cutoff,
                           (double)k / (2.0 * BC_SHARP), bessel_0);
        sharp[k] = coefficient(k == 0 ? 0.5 * value : value);
    }
}

/* Tap i of phase p lies (p / up) - (i + 1 - n_taps / 2) input samples from the output. */
static void phase_tables(const bc_ratio *ratio, int downwards, float *phases) {
    uint32_t up = ratio->up, half = ratio->n_taps / 2u;
    uint32_t denominator = 2u * (downwards ? ratio->down : up);
    double cutoff = downwards ? (double)up / (double)ratio->down : 1.0, bessel_0 = bessel(0.0);
    for (uint32_t phase = 0; phase <= up / 2u; phase++) {
        for (uint32_t i = 0; i < ratio->n_taps; i++) {
            int64_t offset = (int64_t)phase - ((int64_t)i + 1 - (int64_t)half) * (int64_t)up;
            uint64_t distance = (uint64_t)(offset < 0 ? -offset : offset);
            double position = (double)distance / ((double)half * (double)up);
            *phases++ = coefficient(tap(distance, denominator, cutoff, position, bessel_0));
        }
    }
}

bc_status bc_resampler_make_tables(bc_resampler_tables *tables, int32_t in_rate, int32_t out_rate,
                                   void *memory, size_t memory_size) {
    bc_status status = bc_resampler_check(in_rate, out_rate);
    if (status != BC_OK) {
        return status;
    }
    if (tables == NULL || (memory == NULL && in_rate != out_rate)) {
        return BC_NULL_POINTER;
    }
    if (memory_size < bc_resampler_tables_size(in_rate, out_rate)) {
        return BC_RAM_TOO_SMALL;
    }
    *tables = (bc_resampler_tables){.in_rate = in_rate, .out_rate = out_rate};
    if (in_rate == out_rate) {
        return BC_OK;
    }
    uintptr_t aligned = ((uintptr_t)memory + sizeof(float) - 1u) & ~(uintptr_t)(sizeof(float) - 1u);
    float *sharp = (float *)aligned, *phases = sharp + 2u * BC_SHARP;
    bc_ratio ratio = bc_rational_stage(in_rate, out_rate);
    tables->sharp = sharp;
    tables->n_sharp = 2u * BC_SHARP;
    tables->n_phases = bc_phases_count(&ratio);
    sharp_table(sharp);
    if (tables->n_phases != 0) {
        tables->phases = phases;
        phase_tables(&ratio, in_rate > out_rate, phases);
    }
    return BC_OK;
}
