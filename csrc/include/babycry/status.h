/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BABYCRY_STATUS_H
#define BABYCRY_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* What every function that can fail returns. A BC_BAD_* status names the configuration field. */
typedef enum bc_status {
    BC_OK = 0,
    BC_NULL_POINTER,
    BC_RAM_TOO_SMALL,
    BC_OUTPUT_TOO_SMALL,
    BC_CLIP_TOO_SHORT,
    BC_TOO_FEW_FRAMES,
    BC_SAMPLE_NOT_FINITE,
    BC_NEEDS_WHOLE_CLIP,
    BC_NEEDS_STREAM,
    BC_UNKNOWN_PROFILE,
    BC_UNKNOWN_ISA,
    BC_BAD_TABLES,
    BC_BAD_QUANTIZATION,
    BC_BAD_WINDOW_LENGTH,
    BC_BAD_SAMPLE_RATE,
    BC_BAD_N_FFT,
    BC_BAD_WIN_LENGTH,
    BC_BAD_HOP_LENGTH,
    BC_BAD_WINDOW,
    BC_BAD_WINDOW_POSITION,
    BC_BAD_FRAMING,
    BC_BAD_PREEMPHASIS,
    BC_BAD_REMOVE_DC,
    BC_BAD_SPECTRUM,
    BC_BAD_MEL_SCALE,
    BC_BAD_MEL_SLOPES,
    BC_BAD_MEL_NORM,
    BC_BAD_N_MELS,
    BC_BAD_FMIN,
    BC_BAD_FMAX,
    BC_BAD_COMPRESSION,
    BC_BAD_LOG_OFFSET,
    BC_BAD_AMIN,
    BC_BAD_REF,
    BC_BAD_TOP_DB,
    BC_BAD_N_MFCC,
    BC_BAD_DCT_NORM,
    BC_BAD_LIFTER,
    BC_BAD_DELTA,
    BC_BAD_DESCRIPTORS,
    BC_BAD_ROLLOFF,
    BC_BAD_NORMALIZE,
    BC_BAD_POOLING,
    BC_BAD_TFLM_WIN_LENGTH,
    BC_BAD_TFLM_HOP_LENGTH,
    BC_BAD_TFLM_N_CHANNELS,
    BC_BAD_TFLM_FMIN,
    BC_BAD_TFLM_FMAX,
    BC_BAD_IN_RATE,
    BC_BAD_OUT_RATE,
    BC_BAD_N_CHANNELS,
    BC_BAD_TRIM_TOP_DB,
    BC_BAD_FRAME_LENGTH,
    BC_BAD_FIT
} bc_status;

/* One line in English, without a full stop: what was wrong and what is allowed. Never NULL. */
const char *bc_status_string(bc_status status);

#ifdef __cplusplus
}
#endif

#endif
