/* SPDX-License-Identifier: Apache-2.0
 *
 * The profiles: every constant stands here and nowhere else. A profile that changes gets a new version.
 */
#include "bc_frontend_internal.h"

typedef struct profile {
    const char *name;
    bc_frontend_config config;
} profile;

/* librosa >= 0.9: power_to_db(feature.melspectrogram(y, sr=16000)) */
#define BC_LIBROSA                                                                                           \
    .version = 1, .sample_rate = 16000, .n_fft = 2048, .win_length = 2048, .hop_length = 512,                \
    .window = BC_WINDOW_HANN, .window_position = BC_WINDOW_POSITION_CENTER,                                  \
    .spectrum = BC_SPECTRUM_POWER, .mel_scale = BC_MEL_SCALE_SLANEY, .mel_slopes = BC_MEL_SLOPES_HZ,         \
    .mel_norm = BC_MEL_NORM_SLANEY, .n_mels = 128, .fmin = 0.0f, .fmax = 8000.0f,                            \
    .compression = BC_COMPRESSION_DB, .amin = 1e-10f, .ref = 1.0f, .dct_norm = BC_DCT_NORM_ORTHO

/* tensorflow/models, research/audioset/yamnet and vggish: features.py and mel_features.py */
#define BC_AUDIOSET                                                                                          \
    .version = 1, .sample_rate = 16000, .n_fft = 512, .win_length = 400, .hop_length = 160,                  \
    .window = BC_WINDOW_HANN, .window_position = BC_WINDOW_POSITION_LEFT, .framing = BC_FRAMING_LEFT,        \
    .spectrum = BC_SPECTRUM_MAGNITUDE, .mel_scale = BC_MEL_SCALE_HTK, .mel_slopes = BC_MEL_SLOPES_MEL,       \
    .mel_norm = BC_MEL_NORM_NONE, .n_mels = 64, .fmin = 125.0f, .fmax = 7500.0f,                             \
    .compression = BC_COMPRESSION_LOG

#define BC_ALL_BUT_BANDWIDTH                                                                                 \
    (BC_DESCRIPTOR_CENTROID | BC_DESCRIPTOR_ROLLOFF | BC_DESCRIPTOR_ZCR | BC_DESCRIPTOR_RMS)

static const profile profiles[] = {
    {"librosa", {BC_LIBROSA, .framing = BC_FRAMING_CENTER_ZERO}},
    {"librosa-0.8", /* 0.6 to 0.8 */
     {BC_LIBROSA, .framing = BC_FRAMING_CENTER_REFLECT}},
    {"torchaudio", /* transforms.MelSpectrogram(), then AmplitudeToDB("power") */
     {.version = 1, .sample_rate = 16000, .n_fft = 400, .win_length = 400, .hop_length = 200,
      .window = BC_WINDOW_HANN, .window_position = BC_WINDOW_POSITION_CENTER,
      .framing = BC_FRAMING_CENTER_REFLECT, .spectrum = BC_SPECTRUM_POWER, .mel_scale = BC_MEL_SCALE_HTK,
      .mel_slopes = BC_MEL_SLOPES_HZ, .mel_norm = BC_MEL_NORM_NONE, .n_mels = 128, .fmin = 0.0f,
      .fmax = 8000.0f, .compression = BC_COMPRESSION_DB, .amin = 1e-10f, .ref = 1.0f,
      .dct_norm = BC_DCT_NORM_ORTHO}},
    {"yamnet", {BC_AUDIOSET, .log_offset = 0.001f}},
    {"vggish", {BC_AUDIOSET, .log_offset = 0.01f}},
    {"kaldi", /* kaldi-native-fbank's FbankOptions with dither 0 */
     {.version = 1, .sample_rate = 16000, .n_fft = 512, .win_length = 400, .hop_length = 160,
      .window = BC_WINDOW_POVEY, .window_position = BC_WINDOW_POSITION_LEFT, .framing = BC_FRAMING_KALDI_SNIP,
      .preemphasis = 0.97f, .remove_dc = 1, .spectrum = BC_SPECTRUM_POWER, .mel_scale = BC_MEL_SCALE_HTK,
      .mel_slopes = BC_MEL_SLOPES_MEL, .mel_norm = BC_MEL_NORM_NONE, .n_mels = 23, .fmin = 20.0f,
      .fmax = 8000.0f, .compression = BC_COMPRESSION_LOG_MAX, .log_offset = 1.1920929e-07f,
      .dct_norm = BC_DCT_NORM_KALDI}},
    {"whisper", /* openai/whisper, audio.py, log_mel_spectrogram */
     {.version = 1, .sample_rate = 16000, .n_fft = 400, .win_length = 400, .hop_length = 160,
      .window = BC_WINDOW_HANN, .window_position = BC_WINDOW_POSITION_CENTER,
      .framing = BC_FRAMING_CENTER_REFLECT, .spectrum = BC_SPECTRUM_POWER, .mel_scale = BC_MEL_SCALE_SLANEY,
      .mel_slopes = BC_MEL_SLOPES_HZ, .mel_norm = BC_MEL_NORM_SLANEY, .n_mels = 80, .fmin = 0.0f,
      .fmax = 8000.0f, .compression = BC_COMPRESSION_LOG10_WHISPER}},
    {"tflm-micro", /* tensorflow/tflite-micro, micro_speech's front-end; <babycry/tflm.h> */
     {.version = 1, .sample_rate = 16000, .n_fft = 512, .win_length = 480, .hop_length = 160,
      .window = BC_WINDOW_HANN_INTEGER, .window_position = BC_WINDOW_POSITION_LEFT, .framing = BC_FRAMING_LEFT,
      .spectrum = BC_SPECTRUM_MAGNITUDE, .mel_scale = BC_MEL_SCALE_HTK, .mel_slopes = BC_MEL_SLOPES_MEL,
      .mel_norm = BC_MEL_NORM_NONE, .n_mels = 40, .fmin = 125.0f, .fmax = 7500.0f,
      .compression = BC_COMPRESSION_TFLM}},
    {"babycry", /* the reference detector's: see babycry_edge/models/MODEL_CARD.md */
     {.version = 1, .sample_rate = 16000, .n_fft = 512, .win_length = 512, .hop_length = 320,
      .window = BC_WINDOW_HANN, .window_position = BC_WINDOW_POSITION_LEFT, .framing = BC_FRAMING_LEFT,
      .spectrum = BC_SPECTRUM_POWER, .mel_scale = BC_MEL_SCALE_SLANEY, .mel_slopes = BC_MEL_SLOPES_HZ,
      .mel_norm = BC_MEL_NORM_SLANEY, .n_mels = 64, .fmin = 100.0f, .fmax = 4000.0f,
      .compression = BC_COMPRESSION_DB, .amin = 1e-10f, .ref = 1.0f,
      .normalize = BC_NORMALIZE_WINDOW_MEAN}},
    {"guide-88", /* 40 MFCC, centroid, rolloff, zero crossings and rms of librosa: mean and deviation of each */
     {BC_LIBROSA, .framing = BC_FRAMING_CENTER_ZERO, .top_db = 80.0f, .n_mfcc = 40,
      .descriptors = BC_ALL_BUT_BANDWIDTH, .rolloff = 0.85f, .pooling = BC_POOLING_MEAN_STD}},
    {"guide-18", /* zero crossings, rms, 13 MFCC, centroid, rolloff, bandwidth: means */
     {BC_LIBROSA, .framing = BC_FRAMING_CENTER_ZERO, .top_db = 80.0f, .n_mfcc = 13,
      .descriptors = BC_ALL_BUT_BANDWIDTH | BC_DESCRIPTOR_BANDWIDTH, .rolloff = 0.9f,
      .pooling = BC_POOLING_MEAN}},
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
