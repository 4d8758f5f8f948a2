/* SPDX-License-Identifier: Apache-2.0 */
#include <babycry/tflm.h>

void bc_tflm_to_float(const uint16_t *features, size_t n, float *out) {
    for (size_t i = 0; i < n; i++) {
        out[i] = (float)(features[i] * 10) * (1.0f / 256.0f); /* exact */
    }
}
