/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct block {
    struct block *before;
    max_align_t bytes[];
} block;

void *bench_take(bench_context *context, size_t size) {
    block *taken = size <= SIZE_MAX - sizeof *taken ? calloc(1, sizeof *taken + size) : NULL;
    if (taken == NULL) {
        return NULL;
    }
    taken->before = context->memory;
    context->memory = taken;
    return taken->bytes;
}

void bench_release(bench_context *context) {
    while (context->memory != NULL) {
        block *taken = context->memory;
        context->memory = taken->before;
        free(taken);
    }
}

void bench_mismatch(bench_parity *parity, const char *clip, const char *remark) {
    size_t room = sizeof parity->mismatched - parity->mismatched_size;
    char *at = parity->mismatched + parity->mismatched_size;
    int length = remark[0] != '\0' ? snprintf(at, room, "%s (%s)", clip, remark) : snprintf(at, room, "%s", clip);
    parity->mismatches++;
    if (length >= 0 && (size_t)length < room) {
        parity->mismatched_size += (size_t)length + 1;
    }
}
