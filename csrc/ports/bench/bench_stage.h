/* SPDX-License-Identifier: Apache-2.0
 *
 * The seam between the bench and what it measures. A stage is a row of the table in bench_stages.c: what the
 * report calls it, how it makes ready, one call of it, and what it proves. The program does the rest: warm-up,
 * rounds in turn with the other stages, clocks, percentiles, JSON. A network joins as a row of its own, with
 * the stage "network" and the model's name.
 */
#ifndef BABYCRY_BENCH_STAGE_H
#define BABYCRY_BENCH_STAGE_H

#include <stddef.h>
#include <stdint.h>

/* A recording; the build puts it into the program. */
typedef struct bench_clip {
    const char *name;
    int32_t sample_rate; /* Hz */
    const int16_t *samples;
    size_t n_samples;
} bench_clip;

/* What a stage proves, for one part of the record's "parity": how many clips came out with other bits than
 * they must, and which. */
typedef struct bench_parity {
    const char *part; /* "feature_hashes" or "streaming" */
    const char *name; /* the profile, or what was computed */
    size_t clips;
    size_t mismatches;
    char mismatched[4096]; /* names, each with its zero; a name that finds no room is only counted */
    size_t mismatched_size;
} bench_parity;

typedef struct bench_stage bench_stage;

/* A stage at work. prepare fills in what lies below the line. */
typedef struct bench_context {
    const bench_stage *stage;
    const bench_clip *clips;
    size_t n_clips;
    void *memory; /* of bench_take */
    /* --- */
    size_t n_items;      /* calls that differ from each other; they are made in turn, again and again */
    int32_t sample_rate; /* Hz, of what audio_samples counts */
    void *state;
} bench_context;

struct bench_stage {
    const char *name;    /* of the schema: capture, resample, frontend_hop, ..., network, pipeline */
    const char *profile; /* of a front-end; NULL */
    const char *model;   /* of a network; NULL */
    int timed;           /* 0: only checked */
    /* Before the clock runs. NULL, or in a few words what went wrong; then the stage is left out. */
    const char *(*prepare)(bench_context *context);
    /* New audio that one call answers for, in samples. */
    size_t (*audio_samples)(const bench_context *context, size_t item);
    /* What is timed. NULL, or what went wrong. */
    const char *(*run)(bench_context *context, size_t item);
    /* NULL where there is nothing to prove; else as run. It may use the state as it likes. */
    const char *(*check)(bench_context *context, bench_parity *parity);
};

/* Zeroed memory, any alignment; given back after the stage's last call. NULL: there is no more. */
void *bench_take(bench_context *context, size_t size);

/* Counts a clip as different. remark: "" or the instruction set that computed it. */
void bench_mismatch(bench_parity *parity, const char *clip, const char *remark);

#endif
