/* SPDX-License-Identifier: Apache-2.0 */
#include "bc_tflm_internal.h"

/* The square root rounded down. a is at least 2^30. */
static uint32_t root16(uint32_t a) {
    /* A straight line within 4 % of the root, then two steps of Newton's method, which come within 1
     * of it and never below. */
    uint32_t x = (a >> 21) * 21u + 23200u;
    x = (x + a / x) >> 1;
    x = (x + a / x) >> 1;
    x = x > 65535u ? 65535u : x;
    return x * x > a ? x - 1u : x;
}

uint32_t bc_tflm_root(uint64_t n) {
    if (n == 0) {
        return 0;
    }
    uint32_t high = (uint32_t)(n >> 32);
    uint32_t zeros = high != 0 ? (uint32_t)__builtin_clz(high) : 32u + (uint32_t)__builtin_clz((uint32_t)n);
    uint32_t half = zeros >> 1; /* at least 1: n is below 2^62 */
    uint64_t a = n << (2u * half);
    /* The upper 16 bits of the root, then the lower by schoolbook division, one too high at most. */
    uint32_t upper = root16((uint32_t)(a >> 32)), rest = (uint32_t)(a >> 32) - upper * upper;
    uint32_t dividend = (rest << 15) | (((uint32_t)a >> 17) & 0x7fffu);
    uint32_t lower = dividend / upper;
    uint32_t remainder = ((dividend - lower * upper) << 1) | (((uint32_t)a >> 16) & 1u);
    uint32_t root = (upper << 16) + lower;
    if ((((uint64_t)remainder << 16) | ((uint32_t)a & 0xffffu)) < (uint64_t)lower * lower) {
        root--;
    }
    root = ((root >> (half - 1u)) + 1u) >> 1;
    return high == 0 && root > 65535u ? 65535u : root;
}
