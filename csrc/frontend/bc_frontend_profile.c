/* SPDX-License-Identifier: Apache-2.0
 *
 * The profiles: every constant stands here and nowhere else. A profile that changes gets a new version.
 */
#include "bc_frontend_internal.h"

typedef struct profile {
    const char *name;
    bc_frontend_config config;
} profile;

static const profile profiles[] = {
    {"librosa", /* librosa >= 0.9: power_to_db(feature.melspectrogram(y, sr=16000)) */
     {.version = 1, .sample_rate = 16000, .n_fft = 2048, .win_length = 2048, .hop_length = 512,
      .window = BC_WINDOW_HANN, .window_position = BC_WINDOW_POSITION_CENTER,
      .framing = BC_FRAMING_CENTER_ZERO, .spectrum = BC_SPECTRUM_POWER, .mel_scale = BC_MEL_SCALE_SLANEY,
      .mel_slopes = BC_MEL_SLOPES_HZ, .mel_norm = BC_MEL_NORM_SLANEY, .n_mels = 128, .fmin = 0.0f,
      .fmax = 8000.0f, .compression = BC_COMPRESSION_DB, .amin = 1e-10f, .ref = 1.0f}},
    {"torchaudio", /* transforms.MelSpectrogram(), then AmplitudeToDB("power") */
     {.version = 1, .sample_rate = 16000, .n_fft = 400, .win_length = 400, .hop_length = 200,
      .window = BC_WINDOW_HANN, .window_position = BC_WINDOW_POSITION_CENTER,
      .framing = BC_FRAMING_CENTER_REFLECT, .spectrum = BC_SPECTRUM_POWER, .mel_scale = BC_MEL_SCALE_HTK,
      .mel_slopes = BC_MEL_SLOPES_HZ, .mel_norm = BC_MEL_NORM_NONE, .n_mels = 128, .fmin = 0.0f,
      .fmax = 8000.0f, .compression = BC_COMPRESSION_DB, .amin = 1e-10f, .ref = 1.0f}},
    {"yamnet", /* tensorflow/models, research/audioset/yamnet, features.py and params.py */
     {.version = 1, .sample_rate = 16000, .n_fft = 512, .win_length = 400, .hop_length = 160,
      .window = BC_WINDOW_HANN, .window_position = BC_WINDOW_POSITION_LEFT, .framing = BC_FRAMING_LEFT,
      .spectrum = BC_SPECTRUM_MAGNITUDE, .mel_scale = BC_MEL_SCALE_HTK, .mel_slopes = BC_MEL_SLOPES_MEL,
      .mel_norm = BC_MEL_NORM_NONE, .n_mels = 64, .fmin = 125.0f, .fmax = 7500.0f,
      .compression = BC_COMPRESSION_LOG, .log_offset = 0.001f}},
    {"babycry", /* the reference detector's: see babycry_edge/models/MODEL_CARD.md */
     {.version = 1, .sample_rate = 16000, .n_fft = 512, .win_length = 512, .hop_length = 320,
      .window = BC_WINDOW_HANN, .window_position = BC_WINDOW_POSITION_LEFT, .framing = BC_FRAMING_LEFT,
      .spectrum = BC_SPECTRUM_POWER, .mel_scale = BC_MEL_SCALE_SLANEY, .mel_slopes = BC_MEL_SLOPES_HZ,
      .mel_norm = BC_MEL_NORM_SLANEY, .n_mels = 64, .fmin = 100.0f, .fmax = 4000.0f,
      .compression = BC_COMPRESSION_DB, .amin = 1e-10f, .ref = 1.0f,
      .normalize = BC_NORMALIZE_WINDOW_MEAN}},
};

const char *bc_frontend_profile_name(size_t index) {
    return index < sizeof profiles / sizeof profiles[0] ? profiles[index].name : NULL;
}

bc_status bc_frontend_profile(bc_frontend_config *cfg, const char *name) {
    if (cfg == NULL || name == NULL) {
        return BC_NULL_POINTER;
    }
    for (size_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++) {
        if (bc_same_name(profiles[i].name, name)) {
            *cfg = profiles[i].config;
            return BC_OK;
        }
    }
    return BC_UNKNOWN_PROFILE;
}
