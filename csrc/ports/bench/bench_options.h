/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BABYCRY_BENCH_OPTIONS_H
#define BABYCRY_BENCH_OPTIONS_H

#include <stdint.h>

typedef struct bench_options {
    const char *json;    /* file of the record; NULL: standard output */
    const char *calls;   /* file with a line for each counted call; NULL: none */
    const char *target;  /* what the record calls this machine */
    const char *stage;   /* this one alone; NULL: all */
    const char *profile; /* the same */
    int instructions;    /* no clock is read: an emulator counts */
    int lists;           /* shows the stages, no more */
    int helps;
    int core;            /* to stay on; -1: any */
    uint32_t rounds, block_ms, min_calls, max_calls, warmup;
} bench_options;

extern const char bench_usage[];

/* 0 with a line on standard error where an argument is wrong. */
int bench_read_options(bench_options *options, int argc, char **argv);

#endif
