/* SPDX-License-Identifier: Apache-2.0
 *
 * Log-mel features, cepstra and descriptors, the same bits on every target. Three calls:
 * bc_frontend_profile, bc_frontend_init, then bc_frontend_push for a stream or bc_frontend_compute
 * for a clip. The caller owns all memory; nothing is allocated, nothing is global, and a bc_frontend
 * may be used by one thread at a time. Features are time-major: row f holds frame f's values.
 */
#ifndef BABYCRY_FRONTEND_H
#define BABYCRY_FRONTEND_H

#include <stddef.h>
#include <stdint.h>

#include <babycry/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum bc_window {
    BC_WINDOW_HANN, /* periodic */
    BC_WINDOW_HANN_SYMMETRIC,
    BC_WINDOW_POVEY,       /* symmetric Hann to the power 0.85 (Kaldi) */
    BC_WINDOW_HANN_INTEGER /* of BC_COMPRESSION_TFLM */
} bc_window;
typedef enum bc_window_position { BC_WINDOW_POSITION_CENTER, BC_WINDOW_POSITION_LEFT } bc_window_position;
typedef enum bc_framing {
    BC_FRAMING_LEFT,
    BC_FRAMING_CENTER_ZERO,
    BC_FRAMING_CENTER_REFLECT,
    BC_FRAMING_KALDI_SNIP,  /* as LEFT */
    BC_FRAMING_KALDI_MIRROR /* snip_edges=false: round(n/hop) frames, mirrored with the edge repeated */
} bc_framing;
typedef enum bc_spectrum { BC_SPECTRUM_POWER, BC_SPECTRUM_MAGNITUDE } bc_spectrum;
typedef enum bc_mel_scale { BC_MEL_SCALE_SLANEY, BC_MEL_SCALE_HTK } bc_mel_scale;
typedef enum bc_mel_slopes {
    BC_MEL_SLOPES_HZ,
    BC_MEL_SLOPES_MEL,
    BC_MEL_SLOPES_BIN /* edges at floor((n_fft + 1) * hz / sample_rate), as python_speech_features */
} bc_mel_slopes;
typedef enum bc_mel_norm { BC_MEL_NORM_NONE, BC_MEL_NORM_SLANEY } bc_mel_norm;
typedef enum bc_compression {
    BC_COMPRESSION_NONE,
    BC_COMPRESSION_DB,            /* 10*log10(max(x, amin)) - 10*log10(max(ref, amin)), then top_db */
    BC_COMPRESSION_LOG,           /* ln(x + log_offset) */
    BC_COMPRESSION_LOG_MAX,       /* ln(max(x, log_offset)) */
    BC_COMPRESSION_LOG10_WHISPER, /* (max(log10(max(x, 1e-10)), clip maximum - 8) + 4) / 4 */
    BC_COMPRESSION_PCEN,          /* librosa.pcen(x * 2^31) with its default parameters */
    BC_COMPRESSION_TFLM           /* the integer micro front-end: see <babycry/tflm.h> */
} bc_compression;
/* Form of the cepstrum, a DCT-II. NONE: 2*sum; ORTHO: orthonormal (librosa); both with lifter
 * 1 + L/2*sin(pi*(i+1)/L). KALDI: orthonormal, HTK: sqrt(2/n) for c0 too; both 1 + L/2*sin(pi*i/L). */
typedef enum bc_dct_norm { BC_DCT_NORM_NONE, BC_DCT_NORM_ORTHO, BC_DCT_NORM_HTK, BC_DCT_NORM_KALDI } bc_dct_norm;
typedef enum bc_normalize {
    BC_NORMALIZE_NONE,
    BC_NORMALIZE_WINDOW_MEAN,     /* minus the mean of all values */
    BC_NORMALIZE_WINDOW_MEAN_STD, /* and divided by their standard deviation */
    BC_NORMALIZE_MIN_MAX          /* to 0..1 */
} bc_normalize;
/* Values that follow the bands or cepstra in a row, in this order: librosa's spectral_centroid (Hz),
 * spectral_rolloff (Hz), spectral_bandwidth (Hz), zero_crossing_rate and rms of the frame. */
enum {
    BC_DESCRIPTOR_CENTROID = 1,
    BC_DESCRIPTOR_ROLLOFF = 2,
    BC_DESCRIPTOR_BANDWIDTH = 4,
    BC_DESCRIPTOR_ZCR = 8,
    BC_DESCRIPTOR_RMS = 16
};
/* One row for the whole clip. MEAN_STD: means of the bands or cepstra, their standard deviations, then
 * mean and deviation of each descriptor. MEAN: zcr, rms, bands or cepstra, centroid, rolloff, bandwidth. */
typedef enum bc_pooling { BC_POOLING_NONE, BC_POOLING_MEAN_STD, BC_POOLING_MEAN } bc_pooling;

/* Every axis of a front-end. Start from bc_frontend_profile and change what differs.
 * n_fft is even, 32 to 4096, and n_fft/2 has no prime factor above 5 (400, 480, 512, 1200, ...). */
typedef struct bc_frontend_config {
    int32_t version;     /* of the profile that this started from */
    int32_t sample_rate; /* Hz */
    int32_t n_fft;
    int32_t win_length; /* samples, at most n_fft */
    int32_t hop_length; /* samples */
    bc_window window;
    bc_window_position window_position; /* of a window shorter than n_fft inside its frame */
    bc_framing framing;
    float preemphasis; /* 0 to 1: x[i] -= p*x[i-1] within the frame, x[0] -= p*x[0] */
    int32_t remove_dc; /* 1: the frame's mean is subtracted first */
    bc_spectrum spectrum;
    bc_mel_scale mel_scale;
    bc_mel_slopes mel_slopes; /* the axis on which the triangles are straight */
    bc_mel_norm mel_norm;
    int32_t n_mels; /* 1 to 512 */
    float fmin;     /* Hz */
    float fmax;     /* Hz, at most half the sample rate */
    bc_compression compression;
    float log_offset;
    float amin;
    float ref;    /* 0: the maximum of the clip */
    float top_db; /* dB below the maximum of the clip; 0: no limit */
    int32_t n_mfcc; /* cepstra in place of the bands, at most n_mels; 0: none */
    bc_dct_norm dct_norm;
    int32_t lifter;      /* L; 0: none */
    int32_t delta;       /* 1: first differences follow (Savitzky-Golay, width 9), 2: second ones too */
    int32_t descriptors; /* sum of BC_DESCRIPTOR_* */
    float rolloff;       /* share of the magnitudes, 0.85 */
    bc_normalize normalize;
    bc_pooling pooling;
} bc_frontend_config;

typedef struct bc_frontend {
    uint64_t opaque[64];
} bc_frontend;

/* Fills cfg with a named profile: see bc_frontend_profile_name. */
bc_status bc_frontend_profile(bc_frontend_config *cfg, const char *name);

/* The name of profile number index, or NULL past the last. */
const char *bc_frontend_profile_name(size_t index);

/* BC_OK, or the status that names the first field at fault. */
bc_status bc_frontend_check(const bc_frontend_config *cfg);

/* Bytes of RAM that bc_frontend_init wants for cfg: exact; 0 if cfg is at fault. */
size_t bc_frontend_ram_size(const bc_frontend_config *cfg);

/* Makes fe ready; computes its tables into ram (any alignment), which fe keeps using until the
 * caller drops both. */
bc_status bc_frontend_init(bc_frontend *fe, const bc_frontend_config *cfg, void *ram, size_t ram_size);

/* Values in a row of features. */
size_t bc_frontend_n_features(const bc_frontend *fe);

/* Frames that a whole clip of n_samples gives; with pooling the features have one row all the same. */
size_t bc_frontend_frame_count(const bc_frontend *fe, size_t n_samples);

/* Floats for which a buffer of features must have room, for max_frames frames: more than the features
 * take where they are made from wider rows. */
size_t bc_frontend_room(const bc_frontend *fe, size_t max_frames);

/* A whole clip -> features[n_frames][n_features]. PCM is int16, or float with 1.0 as full scale.
 * A stream that is under way in fe is left alone. */
bc_status bc_frontend_compute(bc_frontend *fe, const float *pcm, size_t n_samples, float *features,
                              size_t max_frames, size_t *n_frames);
bc_status bc_frontend_compute_int16(bc_frontend *fe, const int16_t *pcm, size_t n_samples,
                                    float *features, size_t max_frames, size_t *n_frames);

/* Frames that pushing n_samples now would give. */
size_t bc_frontend_push_count(const bc_frontend *fe, size_t n_samples);

/* A stream: any number of samples at a time, frames come out as soon as they are complete.
 * The frames of all pushes and the flush equal those of bc_frontend_compute bit for bit.
 * On a status other than BC_OK nothing was consumed. */
bc_status bc_frontend_push(bc_frontend *fe, const int16_t *pcm, size_t n_samples, float *features,
                           size_t max_frames, size_t *n_frames);
bc_status bc_frontend_push_float(bc_frontend *fe, const float *pcm, size_t n_samples, float *features,
                                 size_t max_frames, size_t *n_frames);

/* Frames that bc_frontend_flush would give. */
size_t bc_frontend_flush_count(const bc_frontend *fe);

/* Ends the stream: the frames that reach past its end; then fe is ready for a new stream. */
bc_status bc_frontend_flush(bc_frontend *fe, float *features, size_t max_frames, size_t *n_frames);

/* The same stream as int8: x / scale rounded half to even, plus zero_point, clamped to -128..127. */
bc_status bc_frontend_push_int8(bc_frontend *fe, const int16_t *pcm, size_t n_samples, float scale,
                                int32_t zero_point, int8_t *features, size_t max_frames, size_t *n_frames);
bc_status bc_frontend_flush_int8(bc_frontend *fe, float scale, int32_t zero_point, int8_t *features,
                                 size_t max_frames, size_t *n_frames);

/* The same rounding for n features that are there already. */
bc_status bc_features_quantize(const float *features, size_t n, float scale, int32_t zero_point, int8_t *out);

/* Normalises one window of features in place, in an order of operations that is fixed. */
bc_status bc_features_normalize(float *features, size_t n_frames, size_t n_features, bc_normalize kind);

/* Instruction sets compiled in and present on this machine, best first; NULL past the last.
 * All give the same bits: bc_frontend_use_isa is there to prove it. */
const char *bc_frontend_isa_name(size_t index);
bc_status bc_frontend_use_isa(bc_frontend *fe, const char *name);

#ifdef __cplusplus
}
#endif

#endif
