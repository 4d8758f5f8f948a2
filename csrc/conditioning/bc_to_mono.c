/* SPDX-License-Identifier: Apache-2.0 */
#include <babycry/conditioning.h>

static bc_status check(const void *interleaved, size_t n_samples, int32_t n_channels, const void *mono) {
    if (n_channels < 1 || n_channels > 64) {
        return BC_BAD_N_CHANNELS;
    }
    return n_samples != 0 && (interleaved == NULL || mono == NULL) ? BC_NULL_POINTER : BC_OK;
}

bc_status bc_to_mono(const float *interleaved, size_t n_samples, int32_t n_channels, float *mono) {
    bc_status status = check(interleaved, n_samples, n_channels, mono);
    for (size_t i = 0; status == BC_OK && i < n_samples; i++) {
        float sum = *interleaved++;
        for (int32_t channel = 1; channel < n_channels; channel++) {
            sum += *interleaved++;
        }
        mono[i] = sum / (float)n_channels;
    }
    return status;
}

bc_status bc_to_mono_int16(const int16_t *interleaved, size_t n_samples, int32_t n_channels, int16_t *mono) {
    bc_status status = check(interleaved, n_samples, n_channels, mono);
    for (size_t i = 0; status == BC_OK && i < n_samples; i++) {
        int32_t sum = 0;
        for (int32_t channel = 0; channel < n_channels; channel++) {
            sum += *interleaved++;
        }
        int32_t half = sum < 0 ? -n_channels : n_channels; /* C's division rounds towards 0 */
        mono[i] = (int16_t)((2 * sum + half) / (2 * n_channels));
    }
    return status;
}
