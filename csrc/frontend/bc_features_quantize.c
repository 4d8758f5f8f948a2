/* SPDX-License-Identifier: Apache-2.0 */
#include "bc_frontend_internal.h"

int bc_quantization_is_sane(float scale, int32_t zero_point) {
    return scale >= 1e-30f && scale <= 1e30f && zero_point >= -128 && zero_point <= 127;
}

/* To the nearest whole number, halves to the even one; |x| < 2^22. The sum has no bits below 1. */
static int32_t rounded(float x) {
    float shifted = x + 12582912.0f; /* 1.5 * 2^23 */
    return (int32_t)(shifted - 12582912.0f);
}

bc_status bc_features_quantize(const float *features, size_t n, float scale, int32_t zero_point, int8_t *out) {
    if (features == NULL || out == NULL) {
        return BC_NULL_POINTER;
    }
    if (!bc_quantization_is_sane(scale, zero_point)) {
        return BC_BAD_QUANTIZATION;
    }
    for (size_t i = 0; i < n; i++) {
        float steps = features[i] / scale;
        steps = steps < -1000.0f ? -1000.0f : steps > 1000.0f ? 1000.0f : steps; /* clamped below all the same */
        int32_t value = rounded(steps) + zero_point;
        out[i] = (int8_t)(value < -128 ? -128 : value > 127 ? 127 : value);
    }
    return BC_OK;
}
