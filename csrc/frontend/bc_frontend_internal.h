/* SPDX-License-Identifier: Apache-2.0
 *
 * What bc_frontend holds. One bc_plan is made by bc_frontend_init and never changed afterwards,
 * except for the stream's counters and for the pointer to the kernel.
 */
#ifndef BC_FRONTEND_INTERNAL_H
#define BC_FRONTEND_INTERNAL_H

#include <babycry/frontend.h>

#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0
#error "float arithmetic must round to float at every step (on 32-bit x86: -msse2 -mfpmath=sse)"
#endif
#ifdef __FAST_MATH__
#error "-ffast-math changes the bits"
#endif

/* The widest kernel compiled in; the working memory holds so many frames side by side. */
#if defined(__x86_64__) || defined(__i386__)
#define BC_MAX_LANES 16
#elif defined(__aarch64__)
#define BC_MAX_LANES 4
#else
#define BC_MAX_LANES 1
#endif

#define BC_MAX_STAGES 12u
#define BC_RAM_ALIGNMENT 64u
#define BC_INT16_SCALE (1.0f / 32768.0f)
#define BC_LARGEST_SAMPLE_BITS 0x4e800000 /* 2^30: no spectrum overflows */

/* Powers below this become 0, so that no later product is subnormal: the answer is then the same
 * on processors (and in processes) that flush subnormal numbers to zero. It is -240 dB; the
 * smallest power that one int16 step makes is about -180 dB. */
#define BC_POWER_FLOOR 1e-24f

/* Where a kernel reads samples: a clip in memory, or the ring of a stream. */
typedef struct bc_source {
    const float *f32;    /* the clip, the ring, or NULL */
    const int16_t *s16;  /* the clip, or NULL */
    uint64_t length;     /* samples known so far */
    uint32_t ring_size;  /* 0 for a clip */
    uint32_t ring_next;  /* where the next sample would be written */
} bc_source;

struct bc_plan;

/* Computes frames [first, first + count) of the source into rows of n_mels floats. Returns 0 where a clip's
 * sample between the first frame's start and the last one's end is not finite: the rows are then worthless. */
typedef int bc_kernel(const struct bc_plan *plan, const bc_source *source, uint64_t first, size_t count,
                      float *features);

typedef struct bc_isa {
    const char *name;
    bc_kernel *kernel;
} bc_isa;

/* One triangle of the mel filter bank: bins [first, first + count), weights in plan->weights. */
typedef struct bc_band {
    uint16_t first;
    uint16_t count;
} bc_band;

typedef struct bc_plan {
    bc_frontend_config config;
    bc_kernel *kernel;       /* for whole clips */
    bc_kernel *frame_kernel; /* for a stream: one frame at a time */
    uint16_t half;           /* n_fft / 2: length of the complex FFT */
    uint16_t window_offset;  /* where the window starts in the FFT frame */
    uint16_t frame_length;   /* samples that a frame spans: n_fft, or win_length if both start at its left */
    uint16_t pad;            /* samples of padding on each side of the clip */
    uint8_t n_stages;
    uint8_t radix[BC_MAX_STAGES];
    uint16_t *position;      /* [half] where complex input number i goes */
    float *twiddles;         /* of all stages, in the order of use, cos and -sin in pairs */
    float *split;            /* [half / 2 + 1] cos and sin in pairs, for the real FFT's last step */
    float *window;           /* [win_length] */
    float *leak;             /* [n_fft] the window's own spectrum, re and im of bins 0 .. half - 1;
                              * empty where the window fills the frame */
    bc_band *bands;          /* [n_mels] */
    float *weights;
    float *work;             /* [bc_work_size] */
    float *ring;             /* [ring_size] */
    float ref_level;         /* 10*log10(max(ref, amin)) */
    uint32_t ring_size;
    uint32_t ring_next;
    uint64_t n_samples;      /* that the stream has taken */
    uint64_t next_frame;     /* that the stream will give */
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
static inline int bc_window_leaks(const bc_plan *plan) {
    return plan->config.win_length < plan->config.n_fft;
}

/* Floats of working memory: the FFTs of the frames side by side, and for a kernel across frames their
 * samples, one after the other, where it cannot read them in the clip itself. */
static inline size_t bc_work_size(const bc_frontend_config *cfg) {
    size_t n_fft = (size_t)cfg->n_fft, hop = (size_t)cfg->hop_length;
    size_t stride = hop < n_fft ? hop : n_fft;
    return n_fft * BC_MAX_LANES + (BC_MAX_LANES == 1 ? 0u : stride * (BC_MAX_LANES - 1u) + n_fft);
}

/* bc_tables.c: the constant tables, exact on every target. NULL pointers only count. */
uint8_t bc_fft_stages(uint32_t half, uint8_t radix[BC_MAX_STAGES]);
size_t bc_fft_twiddle_count(const bc_plan *plan);
void bc_fft_tables(const bc_plan *plan);
void bc_window_table(const bc_plan *plan);
void bc_leak_table(const bc_plan *plan);
size_t bc_mel_bands(const bc_frontend_config *cfg, bc_band *bands, float *weights);

/* bc_elementary.c: double precision from + - * / alone, within 2 ulp; for tables, not for signals. */
double bc_sin_turn(uint32_t numerator, uint32_t denominator); /* sin(2 pi n/d), n < d */
double bc_cos_turn(uint32_t numerator, uint32_t denominator);
double bc_log(double x); /* x > 0 */
double bc_exp(double x);

/* bc_frames.c, compiled once per instruction set. */
bc_kernel bc_frames_scalar, bc_frames_sse2, bc_frames_avx2, bc_frames_avx512, bc_frames_neon;

/* bc_frontend_isa.c */
const bc_isa *bc_isa_at(size_t index);

/* bc_frontend_compute.c */
uint64_t bc_frame_count(const bc_plan *plan, uint64_t n_samples);
int bc_too_short(const bc_plan *plan, uint64_t n_samples);
int bc_samples_are_finite(const float *pcm, size_t n); /* and within 2^30 */

#endif
