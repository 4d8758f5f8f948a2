/* SPDX-License-Identifier: Apache-2.0 */
#include <babycry/conditioning.h>

/* For samples of size bytes. Zero has the same bytes in float and in int16. */
static bc_status fit_length(const unsigned char *pcm, size_t n, unsigned char *out, size_t length, bc_fit fit,
                            size_t size) {
    if (fit != BC_FIT_END && fit != BC_FIT_CENTER) {
        return BC_BAD_FIT;
    }
    if ((pcm == NULL && n != 0) || (out == NULL && length != 0)) {
        return BC_NULL_POINTER;
    }
    int center = fit == BC_FIT_CENTER;
    size_t cut = center && n > length ? (n - length) / 2u : 0;    /* from the clip's start */
    size_t before = center && n < length ? (length - n) / 2u : 0; /* zeros */
    size_t kept = n < length ? n : length;
    if (kept != 0) {
        __builtin_memmove(out + before * size, pcm + cut * size, kept * size);
    }
    if (length > kept) {
        __builtin_memset(out, 0, before * size);
        __builtin_memset(out + (before + kept) * size, 0, (length - before - kept) * size);
    }
    return BC_OK;
}

bc_status bc_fit_length(const float *pcm, size_t n_samples, float *out, size_t length, bc_fit fit) {
    return fit_length((const unsigned char *)pcm, n_samples, (unsigned char *)out, length, fit, sizeof *pcm);
}

bc_status bc_fit_length_int16(const int16_t *pcm, size_t n_samples, int16_t *out, size_t length, bc_fit fit) {
    return fit_length((const unsigned char *)pcm, n_samples, (unsigned char *)out, length, fit, sizeof *pcm);
}
