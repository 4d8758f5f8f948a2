/* SPDX-License-Identifier: Apache-2.0 */
#include <babycry/conditioning.h>

#include "../frontend/bc_frontend_internal.h" /* bc_samples_are_finite */

#define BC_SMALLEST_NORMAL 1.17549435e-38f

bc_status bc_normalize_peak(const float *pcm, size_t n_samples, float *out) {
    if (n_samples != 0 && (pcm == NULL || out == NULL)) {
        return BC_NULL_POINTER;
    }
    if (!bc_samples_are_finite(pcm, n_samples)) {
        return BC_SAMPLE_NOT_FINITE;
    }
    float peak = 0.0f;
    for (size_t i = 0; i < n_samples; i++) {
        float magnitude = pcm[i] < 0.0f ? -pcm[i] : pcm[i];
        peak = magnitude > peak ? magnitude : peak;
    }
    float divisor = peak < BC_SMALLEST_NORMAL ? 1.0f : peak;
    for (size_t i = 0; i < n_samples; i++) {
        out[i] = pcm[i] / divisor;
    }
    return BC_OK;
}
