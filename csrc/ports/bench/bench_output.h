/* SPDX-License-Identifier: Apache-2.0
 *
 * The record's file. Room for it is taken before anything is measured, under another name, so that a full disk
 * shows at once; the file gets its name when it is whole.
 */
#ifndef BABYCRY_BENCH_OUTPUT_H
#define BABYCRY_BENCH_OUTPUT_H

#include <stddef.h>

/* 0 with a line on standard error. Signals that end the program take the unfinished file with them. */
int bench_output_open(const char *path);

/* 0 with a line on standard error; then text went to standard output, so that it is not lost. */
int bench_output_write(const char *path, const char *text, size_t size);

#endif
