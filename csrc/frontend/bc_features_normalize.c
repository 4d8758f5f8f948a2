/* SPDX-License-Identifier: Apache-2.0 */
#include "bc_frontend_internal.h"
#define BC_LANES 1
#include "lanes.h"

/* Mean of x - from, or of its square. Row sums first, then their sum: the error stays small for long windows,
 * and the order is fixed. */
static float mean(const float *features, size_t n_frames, size_t n_features, float from, int squared) {
    float total = 0.0f;
    for (size_t frame = 0; frame < n_frames; frame++) {
        float row = 0.0f;
        for (size_t i = 0; i < n_features; i++) {
            float x = features[frame * n_features + i] - from;
            row += squared ? x * x : x;
        }
        total += row;
    }
    return total / ((float)n_frames * (float)n_features);
}

static void subtract_and_divide(float *features, size_t n, float level, float by) {
    for (size_t i = 0; i < n; i++) {
        features[i] = (features[i] - level) / by;
    }
}

static void to_unit_range(float *features, size_t n) {
    float low = features[0], high = features[0];
    for (size_t i = 1; i < n; i++) {
        low = features[i] < low ? features[i] : low;
        high = features[i] > high ? features[i] : high;
    }
    subtract_and_divide(features, n, low, high > low ? high - low : 1.0f);
}

bc_status bc_features_normalize(float *features, size_t n_frames, size_t n_features, bc_normalize kind) {
    size_t n = n_frames * n_features;
    if (features == NULL) {
        return BC_NULL_POINTER;
    }
    if (kind == BC_NORMALIZE_NONE || n == 0) {
        return BC_OK;
    }
    if (kind == BC_NORMALIZE_MIN_MAX) {
        to_unit_range(features, n);
        return BC_OK;
    }
    if (kind != BC_NORMALIZE_WINDOW_MEAN && kind != BC_NORMALIZE_WINDOW_MEAN_STD) {
        return BC_BAD_NORMALIZE;
    }
    float level = mean(features, n_frames, n_features, 0.0f, 0), by = 1.0f;
    if (kind == BC_NORMALIZE_WINDOW_MEAN_STD) {
        float variance = mean(features, n_frames, n_features, level, 1);
        by = variance < BC_POWER_FLOOR ? 1.0f : bc_sqrt(variance);
    }
    subtract_and_divide(features, n, level, by);
    return BC_OK;
}
