/* SPDX-License-Identifier: Apache-2.0 */
#include "bc_frontend_internal.h"

/* Row sums first, then their sum: the error stays small for long windows, and the order is fixed. */
static float mean(const float *features, size_t n_frames, size_t n_features) {
    float total = 0.0f;
    for (size_t frame = 0; frame < n_frames; frame++) {
        float row = 0.0f;
        for (size_t i = 0; i < n_features; i++) {
            row += features[frame * n_features + i];
        }
        total += row;
    }
    return total / ((float)n_frames * (float)n_features);
}

bc_status bc_features_normalize(float *features, size_t n_frames, size_t n_features, bc_normalize kind) {
    if (features == NULL) {
        return BC_NULL_POINTER;
    }
    if (kind == BC_NORMALIZE_NONE || n_frames == 0 || n_features == 0) {
        return BC_OK;
    }
    if (kind != BC_NORMALIZE_WINDOW_MEAN) {
        return BC_BAD_NORMALIZE;
    }
    float level = mean(features, n_frames, n_features);
    for (size_t i = 0; i < n_frames * n_features; i++) {
        features[i] -= level;
    }
    return BC_OK;
}
