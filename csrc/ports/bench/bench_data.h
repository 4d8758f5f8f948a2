/* SPDX-License-Identifier: Apache-2.0
 *
 * What the build puts into the program: the clips, what they must give, the models that lie beside. Python
 * writes the tables (babycry_bench/linux/data.py); the samples are bench_pcm.c's.
 */
#ifndef BABYCRY_BENCH_DATA_H
#define BABYCRY_BENCH_DATA_H

#include "bench_stage.h"

/* The FNV-1a hash (64 bits) of what a stage makes of a clip. */
typedef struct bench_hash {
    const char *name; /* a profile, "PROFILE (integer)", "resample" */
    const char *clip;
    uint64_t hash;
} bench_hash;

/* A model file beside the program, and its entry in the record. */
typedef struct bench_model {
    const char *file;
    uint64_t size;
    uint64_t hash; /* FNV-1a of its bytes */
    const char *json;
} bench_model;

extern const int16_t bench_pcm[];
extern const bench_clip bench_clips[];
extern const size_t bench_n_clips;
extern const bench_hash bench_hashes[];
extern const size_t bench_n_hashes;
extern const bench_model bench_models[];
extern const size_t bench_n_models;

/* Compares with the table; counts the clip, and a mismatch where it differs or the table lacks it. */
void bench_compare(bench_parity *parity, const char *clip, uint64_t hash, const char *remark);

#endif
