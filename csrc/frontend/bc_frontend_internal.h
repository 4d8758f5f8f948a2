/* SPDX-License-Identifier: Apache-2.0
 *
 * What bc_frontend holds. One bc_plan is made by bc_frontend_init and never changed afterwards,
 * except for the stream's counters and for the pointer to the kernel.
 */
#ifndef BC_FRONTEND_INTERNAL_H
#define BC_FRONTEND_INTERNAL_H

#include <babycry/frontend.h>
#include <babycry/tables.h>

#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0 && __FLT_EVAL_METHOD__ != 16 /* 16: only of _Float16 */
#error "float arithmetic must round to float at every step (on 32-bit x86: -msse2 -mfpmath=sse)"
#endif
#ifdef __FAST_MATH__
#error "-ffast-math changes the bits"
#endif

/* The widest kernel across frames; the working memory holds so many frames side by side. Vectors
 * must be aligned. */
#if defined(__x86_64__) || defined(__i386__)
#define BC_MAX_LANES 16
#define BC_RAM_ALIGNMENT 64u
#elif defined(__aarch64__)
#define BC_MAX_LANES 4
#define BC_RAM_ALIGNMENT 16u
#else
#define BC_MAX_LANES 1
#define BC_RAM_ALIGNMENT 16u
#endif

#define BC_MAX_STAGES 12u
#define BC_PARTIALS 16u /* long sums are made of so many interleaved ones, in every kernel */
#define BC_INT16_SCALE (1.0f / 32768.0f)
#define BC_LARGEST_SAMPLE_BITS 0x4e800000 /* 2^30: no spectrum overflows */

/* Powers below this become 0, so that no later product is subnormal: the answer is then the same
 * on processors (and in processes) that flush subnormal numbers to zero. It is -240 dB; the
 * smallest power that one int16 step makes is about -180 dB. */
#define BC_POWER_FLOOR 1e-24f
#define BC_POWER_FLOOR_BITS 0x179abe15 /* floats that are not negative compare as their bits do */

/* Where a kernel reads samples: a clip in memory, or the ring of a stream. */
typedef struct bc_source {
    const float *f32;    /* the clip, the ring, or NULL */
    const int16_t *s16;  /* the clip, or NULL */
    uint64_t length;     /* samples known so far */
    uint32_t ring_size;  /* 0 for a clip */
    uint32_t ring_next;  /* where the next sample would be written */
} bc_source;

/* Where rows go: floats, or int8 with a scale. */
typedef struct bc_destination {
    float *f32;
    int8_t *s8;
    float scale;
    int32_t zero_point;
} bc_destination;

struct bc_plan;

/* The micro front-end behind a bc_frontend; through pointers, so that firmware with the tables of another one
 * does not link it. */
typedef struct bc_tflm_calls {
    size_t (*frame_count)(const struct bc_plan *plan, size_t n_samples); /* that the stream would give */
    size_t (*rows)(const struct bc_plan *plan, int is_clip, const bc_source *pcm, const bc_destination *to);
    void (*reset)(const struct bc_plan *plan);
} bc_tflm_calls;

/* Computes frames [first, first + count) of a clip into rows of n_mels floats, frames side by side. Returns 0
 * where a sample between the first frame's start and the last one's end is not finite: the rows are then
 * worthless. */
typedef int bc_frames_kernel(const struct bc_plan *plan, const bc_source *source, uint64_t first, size_t count,
                             float *features);

/* Computes one frame into a row of n_mels floats and descriptors. */
typedef void bc_frame_kernel(const struct bc_plan *plan, const bc_source *source, uint64_t frame, float *row);

typedef void bc_from_int16_kernel(const int16_t *pcm, size_t n, float *out);

typedef struct bc_isa {
    const char *name;
    size_t lanes;
    bc_frames_kernel *frames; /* NULL: one frame at a time */
    bc_frame_kernel *frame;
    bc_from_int16_kernel *from_int16;
} bc_isa;

typedef struct bc_plan {
    bc_frontend_config config;
    const bc_isa *isa;
    bc_frame_kernel *frame_kernel; /* the isa's, or one with fewer lanes where the FFT is too short for them */
    uint16_t half;           /* n_fft / 2: length of the complex FFT */
    uint16_t window_offset;  /* where the window starts in the FFT frame */
    uint16_t frame_length;   /* samples that a frame spans: n_fft, or win_length if both start at its left */
    int32_t pad;             /* samples before the clip's first one at which frame 0 starts; negative: after it */
    uint8_t n_stages;
    uint8_t radix[BC_MAX_STAGES];
    float ref_level;
    const uint16_t *position; /* the tables: see <babycry/tables.h> */
    const float *twiddles;
    const float *split;
    const float *window;
    const float *leak; /* NULL where the window fills the frame, or the frame's mean is removed */
    const uint16_t *bands;
    const float *weights;
    const float *dct;
    const bc_tflm_calls *tflm; /* NULL but for BC_COMPRESSION_TFLM, which has nothing else of what follows but row */
    float *work;  /* [bc_work_size] the FFTs */
    float *frame; /* [n_fft] a frame's samples, then its levels */
    float *row;   /* [raw_width] a row before the cepstrum, */
    float *finished; /* [frame width] and after it */
    float *pcen;  /* [2][n_mels] smoothed levels of the stream, and of a clip */
    float *pool;  /* [2][frame width] */
    float *ring;  /* [ring_size] */
    uint32_t ring_size;
    uint32_t ring_next;
    uint64_t n_samples;  /* that the stream has taken */
    uint64_t next_frame; /* that the stream will give */
} bc_plan;

_Static_assert(sizeof(bc_plan) <= sizeof(bc_frontend), "bc_frontend must hold a bc_plan");

static inline int bc_same_name(const char *a, const char *b) {
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static inline bc_plan *bc_plan_of(bc_frontend *fe) { return (bc_plan *)(void *)fe; }
static inline const bc_plan *bc_const_plan_of(const bc_frontend *fe) {
    return (const bc_plan *)(const void *)fe;
}

/* A Hann window that fills the frame has a spectrum of three bins; a shorter one leaks into all. */
static inline int bc_window_leaks(const bc_plan *plan) { return plan->leak != NULL; }

/* Floats of working memory: the FFTs of the frames side by side, and for a kernel across frames their
 * samples, one after the other, where it cannot read them in the clip itself. */
static inline size_t bc_work_size(const bc_frontend_config *cfg) {
    size_t n_fft = (size_t)cfg->n_fft, hop = (size_t)cfg->hop_length;
    size_t stride = hop < n_fft ? hop : n_fft;
    return n_fft * BC_MAX_LANES + (BC_MAX_LANES == 1 ? 0u : stride * (BC_MAX_LANES - 1u) + n_fft);
}

static inline int bc_has(const bc_frontend_config *cfg, int32_t descriptor) {
    return (cfg->descriptors & descriptor) != 0;
}

#define BC_BAND_GROUP 5u /* first bins of four bands, and how many bins the widest of them has */

/* bc_tables.c: the constant tables, exact on every target. */
uint8_t bc_fft_stages(uint32_t half, uint8_t radix[BC_MAX_STAGES]);
size_t bc_mel_bands(const bc_frontend_config *cfg, uint16_t *groups, float *weights); /* NULL: only counts */

/* bc_elementary.c: double precision from + - * / alone, within 2 ulp; for tables, not for signals. */
double bc_sin_turn(uint32_t numerator, uint32_t denominator); /* sin(2 pi n/d), n < d */
double bc_cos_turn(uint32_t numerator, uint32_t denominator);
double bc_log(double x); /* x > 0 */
double bc_exp(double x);

/* bc_frames.c and bc_frame.c, compiled once per instruction set. */
bc_frames_kernel bc_frames_sse2, bc_frames_avx2, bc_frames_avx512, bc_frames_neon;
bc_frame_kernel bc_frame_scalar, bc_frame_sse2, bc_frame_avx2, bc_frame_avx512, bc_frame_neon, bc_frame_mve;
bc_from_int16_kernel bc_from_int16_scalar, bc_from_int16_sse2, bc_from_int16_avx2, bc_from_int16_avx512,
    bc_from_int16_neon, bc_from_int16_mve;

/* bc_frontend_isa.c */
const bc_isa *bc_isa_at(size_t index);
void bc_use_isa(bc_plan *plan, const bc_isa *isa);

/* bc_frontend_init.c */
void bc_plan_derive(bc_plan *plan, const bc_frontend_config *cfg); /* all but pointers */

/* bc_samples.c: where samples come from. */
int64_t bc_frame_start(const bc_plan *plan, uint64_t frame); /* of its n_fft samples; negative in the padding */
size_t bc_samples_run(const bc_source *source, int64_t index, size_t n, size_t *at);
float bc_padding_at(const bc_plan *plan, const bc_source *source, int64_t index);
void bc_load_samples(const bc_plan *plan, const bc_source *source, int64_t start, size_t n, float *out);
int bc_samples_are_finite(const float *pcm, size_t n); /* and within 2^30 */

/* bc_descriptors.c: a row's descriptors, each at its own place in out; the first from the samples, through
 * plan->frame, the second from the levels of bins 0 .. n_fft/2, which it turns into magnitudes. */
void bc_sample_descriptors(const bc_plan *plan, const bc_source *source, int64_t start, float *out);
void bc_spectrum_descriptors(const bc_plan *plan, float *levels, float *out);

/* bc_rows.c: from raw rows (bands, then descriptors) to features. */
size_t bc_descriptor_count(const bc_frontend_config *cfg);
size_t bc_raw_width(const bc_frontend_config *cfg);
size_t bc_frame_width(const bc_frontend_config *cfg); /* before pooling */
size_t bc_feature_width(const bc_frontend_config *cfg);
int bc_needs_whole_clip(const bc_frontend_config *cfg);
void bc_pcen_start(const bc_plan *plan, float *smoothed);
void bc_pcen_row(const bc_plan *plan, float *smoothed, float *row);
void bc_finish_row(const bc_plan *plan, const float *raw, float *features);
bc_status bc_finish_clip(const bc_plan *plan, float *raw, size_t n_frames, float *features);

/* bc_frontend_check.c: all that concerns bc_frontend_init_tables */
bc_status bc_check_axes(const bc_frontend_config *cfg);

/* bc_frontend_tflm.c */
bc_status bc_tflm_part_check(const bc_frontend_config *cfg);
size_t bc_tflm_part_size(const bc_frontend_config *cfg);
void bc_tflm_part_init(bc_plan *plan, void *ram);

/* bc_features_quantize.c */
int bc_quantization_is_sane(float scale, int32_t zero_point);

/* bc_frontend_compute.c */
uint64_t bc_frame_count(const bc_plan *plan, uint64_t n_samples);
int bc_too_short(const bc_plan *plan, uint64_t n_samples);
int bc_raw_rows(const bc_plan *plan, const bc_source *source, uint64_t first, size_t count, float *rows);

#endif
