/* SPDX-License-Identifier: Apache-2.0 */
#include <babycry/windows.h>

#include "bc_frontend_internal.h"

typedef struct bc_windows_state {
    bc_plan *plan;
    float *ring; /* [window_samples] the last samples */
    float *rows; /* [n_frames][raw width] the last raw rows, row f at f modulo n_frames */
    uint32_t window_samples;
    uint32_t n_frames;
    uint64_t hop_frames;
    uint32_t ring_next;
    uint64_t n_samples;   /* that the stream has taken */
    uint64_t next_frame;  /* of the stream, to be computed */
    uint64_t next_window; /* to be completed */
} bc_windows_state;

_Static_assert(sizeof(bc_windows_state) <= sizeof(bc_windows), "bc_windows must hold its state");

static bc_windows_state *state_of(bc_windows *w) { return (bc_windows_state *)(void *)w; }
static const bc_windows_state *const_state_of(const bc_windows *w) {
    return (const bc_windows_state *)(const void *)w;
}

static size_t row_width(const bc_plan *plan) { return bc_raw_width(&plan->config); }

size_t bc_windows_ram_size(const bc_frontend *fe, size_t n_samples) {
    if (fe == NULL || n_samples == 0 || n_samples > 0x7fffffff) {
        return 0;
    }
    const bc_plan *plan = bc_const_plan_of(fe);
    size_t n_frames = (size_t)bc_frame_count(plan, n_samples);
    if (n_frames == 0 || bc_too_short(plan, n_samples) || plan->tflm != NULL) {
        return 0;
    }
    return (n_samples + n_frames * row_width(plan)) * sizeof(float) + sizeof(float) - 1u;
}

/* The first frame that does not begin in the padding. */
static uint64_t first_whole_frame(const bc_plan *plan) {
    uint64_t hop = (uint64_t)plan->config.hop_length;
    return plan->pad > 0 ? ((uint64_t)plan->pad + hop - 1u) / hop : 0;
}

void bc_windows_reset(bc_windows *w) {
    if (w != NULL) {
        bc_windows_state *s = state_of(w);
        s->ring_next = 0;
        s->n_samples = 0;
        s->next_frame = first_whole_frame(s->plan);
        s->next_window = 0;
    }
}

bc_status bc_windows_init(bc_windows *w, bc_frontend *fe, size_t n_samples, size_t hop_frames, void *ram,
                          size_t ram_size) {
    if (w == NULL || fe == NULL || ram == NULL) {
        return BC_NULL_POINTER;
    }
    if (bc_plan_of(fe)->tflm != NULL) {
        return BC_NEEDS_STREAM;
    }
    size_t wanted = bc_windows_ram_size(fe, n_samples);
    if (wanted == 0 || hop_frames == 0) {
        return BC_BAD_WINDOW_LENGTH;
    }
    if (ram_size < wanted) {
        return BC_RAM_TOO_SMALL;
    }
    uintptr_t base = ((uintptr_t)ram + sizeof(float) - 1u) & ~(uintptr_t)(sizeof(float) - 1u);
    bc_plan *plan = bc_plan_of(fe);
    *state_of(w) = (bc_windows_state){
        .plan = plan,
        .ring = (float *)base,
        .rows = (float *)base + n_samples,
        .window_samples = (uint32_t)n_samples,
        .n_frames = (uint32_t)bc_frame_count(plan, n_samples),
        .hop_frames = hop_frames,
    };
    bc_windows_reset(w);
    return BC_OK;
}

size_t bc_windows_room(const bc_windows *w) {
    if (w == NULL) {
        return 0;
    }
    const bc_windows_state *s = const_state_of(w);
    return bc_frontend_room((const bc_frontend *)(const void *)s->plan, s->n_frames);
}

size_t bc_windows_row_count(const bc_windows *w) {
    if (w == NULL) {
        return 0;
    }
    const bc_windows_state *s = const_state_of(w);
    return s->plan->config.pooling != BC_POOLING_NONE ? 1u : s->n_frames;
}

static uint64_t window_end(const bc_windows_state *s, uint64_t window) {
    return window * s->hop_frames * (uint64_t)s->plan->config.hop_length + s->window_samples;
}

size_t bc_windows_push_count(const bc_windows *w, size_t n_samples) {
    if (w == NULL) {
        return 0;
    }
    const bc_windows_state *s = const_state_of(w);
    uint64_t end = s->n_samples + n_samples, first = window_end(s, s->next_window);
    uint64_t hop = s->hop_frames * (uint64_t)s->plan->config.hop_length;
    return end < first ? 0 : (size_t)((end - first) / hop + 1u);
}

static void take(bc_windows_state *s, const int16_t *s16, const float *f32, size_t n) {
    for (size_t i = 0; i < n; i++) {
        s->ring[s->ring_next] = s16 != NULL ? (float)s16[i] * BC_INT16_SCALE : f32[i];
        s->ring_next = s->ring_next + 1u == s->window_samples ? 0 : s->ring_next + 1u;
    }
    s->n_samples += n;
}

/* The ring as a clip of the last length samples, or as the stream itself. */
static bc_source ring_source(const bc_windows_state *s, uint64_t length) {
    return (bc_source){.f32 = s->ring, .length = length, .ring_size = s->window_samples,
                       .ring_next = s->ring_next};
}

static int lies_inside(const bc_windows_state *s, uint32_t frame) {
    int64_t start = bc_frame_start(s->plan, frame);
    return start >= 0 && start + s->plan->frame_length <= (int64_t)s->window_samples;
}

static bc_status complete_window(bc_windows_state *s, float *features) {
    const bc_plan *plan = s->plan;
    size_t width = row_width(plan);
    size_t room = bc_frontend_room((const bc_frontend *)(const void *)plan, s->n_frames);
    float *raw = features + (room - s->n_frames * width);
    bc_source window = ring_source(s, s->window_samples);
    for (uint32_t i = 0; i < s->n_frames; i++) {
        float *row = raw + i * width;
        if (!lies_inside(s, i)) {
            plan->frame_kernel(plan, &window, i, row);
            continue;
        }
        const float *computed = s->rows + (s->next_window * s->hop_frames + i) % s->n_frames * width;
        for (size_t j = 0; j < width; j++) {
            row[j] = computed[j];
        }
    }
    s->next_window++;
    return bc_finish_clip(plan, raw, s->n_frames, features);
}

static bc_status push(bc_windows *w, const int16_t *s16, const float *f32, size_t n, float *features,
                      size_t *taken, int *ready) {
    if (w == NULL || (s16 == NULL && f32 == NULL && n != 0) || features == NULL || taken == NULL || ready == NULL) {
        return BC_NULL_POINTER;
    }
    if (f32 != NULL && !bc_samples_are_finite(f32, n)) {
        return BC_SAMPLE_NOT_FINITE;
    }
    bc_windows_state *s = state_of(w);
    const bc_plan *plan = s->plan;
    uint64_t end = window_end(s, s->next_window);
    size_t done = 0;
    *ready = 0;
    while (done < n && !*ready) {
        uint64_t frame_end = (uint64_t)(bc_frame_start(plan, s->next_frame) + plan->frame_length);
        uint64_t until = frame_end < end ? frame_end : end;
        size_t piece = until - s->n_samples < n - done ? (size_t)(until - s->n_samples) : n - done;
        take(s, s16 != NULL ? s16 + done : NULL, f32 != NULL ? f32 + done : NULL, piece);
        done += piece;
        if (s->n_samples == frame_end && plan->frame_length <= s->window_samples) {
            bc_source stream = ring_source(s, s->n_samples);
            plan->frame_kernel(plan, &stream, s->next_frame, s->rows + s->next_frame % s->n_frames * row_width(plan));
        }
        s->next_frame += s->n_samples == frame_end;
        *ready = s->n_samples == end;
    }
    *taken = done;
    return *ready ? complete_window(s, features) : BC_OK;
}

bc_status bc_windows_push(bc_windows *w, const int16_t *pcm, size_t n_samples, float *features, size_t *taken,
                          int *ready) {
    return push(w, pcm, NULL, n_samples, features, taken, ready);
}

bc_status bc_windows_push_float(bc_windows *w, const float *pcm, size_t n_samples, float *features, size_t *taken,
                                int *ready) {
    return push(w, NULL, pcm, n_samples, features, taken, ready);
}
