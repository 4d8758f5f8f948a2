/* SPDX-License-Identifier: Apache-2.0
 *
 * The front-end whose cost is counted everywhere: librosa's, with an FFT of 512, a hop of 160 and 64 bands.
 */
#ifndef BABYCRY_PORT_LOG_MEL_H
#define BABYCRY_PORT_LOG_MEL_H

#include <babycry/frontend.h>

#define LOG_MEL_BANDS 64
#define LOG_MEL_HOP 160

static inline bc_status log_mel_config(bc_frontend_config *cfg) {
    bc_status status = bc_frontend_profile(cfg, "librosa");
    cfg->n_fft = 512;
    cfg->win_length = 512;
    cfg->hop_length = LOG_MEL_HOP;
    cfg->n_mels = LOG_MEL_BANDS;
    return status;
}

#endif
