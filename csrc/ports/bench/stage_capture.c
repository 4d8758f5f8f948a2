/* SPDX-License-Identifier: Apache-2.0
 *
 * capture: the next 10 ms of audio out of a file descriptor, as from a sound card; one read. The file lies in
 * memory, so that what is timed is the system call and the copy.
 */
#define _GNU_SOURCE /* memfd_create */
#include "bench_rows.h"

#include <sys/mman.h>
#include <unistd.h>

#define HOP (BENCH_RATE / 100)

typedef struct capture {
    int file;
    int16_t samples[HOP];
} capture;

static const char *prepare(bench_context *context) {
    capture *state = bench_take(context, sizeof *state);
    if (state == NULL) {
        return "no memory";
    }
    state->file = memfd_create("clips", MFD_CLOEXEC);
    if (state->file < 0) {
        return "this system has no memfd_create";
    }
    context->state = state;
    context->sample_rate = BENCH_RATE;
    for (size_t i = 0; i < context->n_clips; i++) {
        const bench_clip *clip = &context->clips[i];
        size_t n_hops = clip->n_samples / HOP, size = n_hops * HOP * sizeof *clip->samples;
        if (clip->sample_rate == BENCH_RATE) {
            if (write(state->file, clip->samples, size) != (ssize_t)size) {
                return "no memory for the clips";
            }
            context->n_items += n_hops;
        }
    }
    return NULL;
}

static size_t audio_samples(const bench_context *context, size_t item) {
    (void)context;
    (void)item;
    return HOP;
}

static const char *run(bench_context *context, size_t item) {
    capture *state = context->state;
    const size_t size = sizeof state->samples;
    return pread(state->file, state->samples, size, (off_t)(item * size)) == (ssize_t)size ? NULL : "read failed";
}

const bench_stage bench_stage_capture = {"capture", NULL, NULL, 1, prepare, audio_samples, run, NULL};
