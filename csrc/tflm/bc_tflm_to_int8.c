/* SPDX-License-Identifier: Apache-2.0 */
#include <babycry/tflm.h>

/* 666 is 25.6 * 26, the range of the features that micro_speech was trained with. */
void bc_tflm_to_int8(const uint16_t *features, size_t n, int8_t *out) {
    for (size_t i = 0; i < n; i++) {
        uint32_t value = ((uint32_t)features[i] * 256u + 333u) / 666u;
        out[i] = (int8_t)((int32_t)(value > 255u ? 255u : value) - 128);
    }
}
