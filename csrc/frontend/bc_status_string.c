/* SPDX-License-Identifier: Apache-2.0 */
#include <babycry/status.h>

const char *bc_status_string(bc_status status) {
    switch (status) {
    case BC_OK: return "ok";
    case BC_NULL_POINTER: return "a pointer is NULL";
    case BC_RAM_TOO_SMALL: return "the RAM given is smaller than the function ending in _size says";
    case BC_OUTPUT_TOO_SMALL: return "the output has room for fewer frames or samples than there are";
    case BC_CLIP_TOO_SHORT: return "the clip is too short to be mirrored: framing center-reflect needs more than n_fft/2 samples";
    case BC_TOO_FEW_FRAMES: return "the clip has too few frames: delta needs 9, pooling one";
    case BC_SAMPLE_NOT_FINITE: return "a sample is NaN, infinite, or beyond 2^30";
    case BC_NEEDS_WHOLE_CLIP: return "ref=max, top_db, log10_whisper, delta, normalize and pooling depend on the whole clip and cannot be computed frame by frame: use windows of stated length, or turn them off for a stream";
    case BC_NEEDS_STREAM: return "compression tflm depends on all that came before: it has a stream and no windows";
    case BC_UNKNOWN_PROFILE: return "there is no profile of that name";
    case BC_UNKNOWN_ISA: return "that instruction set is not compiled in, or not present on this machine";
    case BC_BAD_TABLES: return "the tables are not those of their configuration or rates: make them again with this version";
    case BC_BAD_QUANTIZATION: return "scale must be 1e-30 to 1e30 and zero_point -128 to 127";
    case BC_BAD_WINDOW_LENGTH: return "a window must have samples enough for one frame, and the hop one frame or more";
    case BC_BAD_SAMPLE_RATE: return "sample_rate must be 1000 to 384000 Hz";
    case BC_BAD_N_FFT: return "n_fft must be even, 32 to 4096, and n_fft/2 a product of 2, 3 and 5";
    case BC_BAD_WIN_LENGTH: return "win_length must be 1 to n_fft";
    case BC_BAD_HOP_LENGTH: return "hop_length must be 1 to 65535";
    case BC_BAD_WINDOW: return "window must be hann, hann_symmetric or povey; hann_integer for compression tflm";
    case BC_BAD_WINDOW_POSITION: return "window_position must be center or left";
    case BC_BAD_FRAMING: return "framing must be left, center-zero, center-reflect, kaldi-snip or kaldi-mirror";
    case BC_BAD_PREEMPHASIS: return "preemphasis must be 0 to 1";
    case BC_BAD_REMOVE_DC: return "remove_dc must be 0 or 1";
    case BC_BAD_SPECTRUM: return "spectrum must be power or magnitude";
    case BC_BAD_MEL_SCALE: return "mel_scale must be slaney or htk";
    case BC_BAD_MEL_SLOPES: return "mel_slopes must be hz, mel or bin";
    case BC_BAD_MEL_NORM: return "mel_norm must be slaney or none";
    case BC_BAD_N_MELS: return "n_mels must be 1 to 512";
    case BC_BAD_FMIN: return "fmin must be at least 0 Hz and at least 1 Hz below fmax";
    case BC_BAD_FMAX: return "fmax must be at most half the sample rate";
    case BC_BAD_COMPRESSION: return "compression must be none, db, log, log_max, log10_whisper, pcen or tflm";
    case BC_BAD_LOG_OFFSET: return "log_offset must be 1e-30 to 1e30 for compression log and log_max";
    case BC_BAD_AMIN: return "amin must be 1e-30 to 1e30 for compression db";
    case BC_BAD_REF: return "ref must be 1e-30 to 1e30, or the clip's maximum, for compression db";
    case BC_BAD_TOP_DB: return "top_db must be above 0 and at most 1000, or none; it needs compression db";
    case BC_BAD_N_MFCC: return "n_mfcc must be 0 to n_mels";
    case BC_BAD_DCT_NORM: return "dct_norm must be none, ortho, htk or kaldi";
    case BC_BAD_LIFTER: return "lifter must be 0 to 10000";
    case BC_BAD_DELTA: return "delta must be 0, 1 or 2";
    case BC_BAD_DESCRIPTORS: return "descriptors must be a sum of BC_DESCRIPTOR_*";
    case BC_BAD_ROLLOFF: return "rolloff must be 0.01 to 0.99";
    case BC_BAD_POOLING: return "pooling must be none, mean_std or mean";
    case BC_BAD_NORMALIZE: return "normalize must be none, window_mean, window_mean_std or min_max";
    case BC_BAD_TFLM_WIN_LENGTH: return "win_length of tflm-micro must be 33 to 4096";
    case BC_BAD_TFLM_HOP_LENGTH: return "hop_length of tflm-micro must be 1 to win_length";
    case BC_BAD_TFLM_N_CHANNELS: return "n_channels of tflm-micro must be 1 to 255";
    case BC_BAD_TFLM_FMIN: return "fmin of tflm-micro must be 0 to 192000 Hz";
    case BC_BAD_TFLM_FMAX: return "fmax of tflm-micro must be at least 1 Hz above fmin, and no FFT bin below it may be that of half the sample rate";
    case BC_BAD_IN_RATE: return "in_rate must be 1000 to 384000 Hz";
    case BC_BAD_OUT_RATE: return "out_rate must be 1000 to 384000 Hz";
    case BC_BAD_N_CHANNELS: return "n_channels must be 1 to 64";
    case BC_BAD_TRIM_TOP_DB: return "top_db must be above 0 and at most 1000";
    case BC_BAD_FRAME_LENGTH: return "frame_length must be 2 to 65535";
    case BC_BAD_FIT: return "fit must be end or center";
    }
    return "unknown status";
}
