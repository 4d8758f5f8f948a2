/* SPDX-License-Identifier: Apache-2.0
 *
 * The resampler in memory of exactly the stated sizes, so that a sanitizer sees every step outside;
 * in pieces, with every instruction set, and on a processor that flushes subnormals.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include <babycry/resample.h>

static int failures;

#define CHECK(condition)                                                  \
    do {                                                                  \
        if (!(condition)) {                                               \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            failures++;                                                   \
        }                                                                 \
    } while (0)

static const int32_t rates[][2] = {{8000, 16000},  {11025, 16000}, {22050, 16000}, {44100, 16000}, {48000, 16000},
                                   {32000, 16000}, {16000, 44100}, {384000, 1000}, {1000, 384000}, {16000, 16000},
                                   {16000, 15001}};

static uint32_t random_number(void) {
    static uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

/* Memory that ends where it must; one byte off, to show that any alignment will do. */
static char *exact(size_t size) {
    char *memory = malloc(size + 1);
    if (memory == NULL) {
        abort();
    }
    return memory + 1;
}

static void drop(void *memory) { free((char *)memory - 1); }

static float *pushed(bc_resampler *rs, const float *audio, size_t n, size_t max_piece, size_t length) {
    float *out = malloc(length * sizeof *out + 1);
    size_t done = 0, got = 0;
    for (size_t at = 0; at < n;) {
        size_t piece = 1 + random_number() % max_piece;
        piece = piece < n - at ? piece : n - at;
        float *chunk = malloc(piece * sizeof *chunk);
        memcpy(chunk, audio + at, piece * sizeof *chunk);
        size_t count = bc_resampler_push_count(rs, piece);
        CHECK(count == 0 || bc_resampler_push_float(rs, chunk, piece, out, count - 1, &got) == BC_OUTPUT_TOO_SMALL);
        float *now = malloc(count * sizeof *now + 1);
        CHECK(bc_resampler_push_float(rs, chunk, piece, now, count, &got) == BC_OK && got == count);
        CHECK(done + got <= length);
        memcpy(out + done, now, got * sizeof *now);
        free(now);
        free(chunk);
        done += got;
        at += piece;
    }
    CHECK(done + bc_resampler_flush_count(rs) == length);
    CHECK(bc_resampler_flush(rs, out + done, length - done, &got) == BC_OK);
    return out;
}

static void test_rates(int32_t in_rate, int32_t out_rate, const float *audio, size_t n) {
    size_t tables_size = bc_resampler_tables_size(in_rate, out_rate);
    size_t ram_size = bc_resampler_ram_size(in_rate, out_rate);
    size_t length = bc_resampler_length(in_rate, out_rate, n);
    char *memory = exact(tables_size), *ram = exact(ram_size);
    bc_resampler_tables tables;
    bc_resampler rs;
    CHECK(bc_resampler_make_tables(&tables, in_rate, out_rate, memory, tables_size) == BC_OK);
    CHECK(bc_resampler_init(&rs, &tables, ram, ram_size) == BC_OK);
    float *whole = pushed(&rs, audio, n, 1u << 30, length);
    const char *isa;
    for (size_t i = 0; (isa = bc_resampler_isa_name(i)) != NULL; i++) {
        CHECK(bc_resampler_use_isa(&rs, isa) == BC_OK);
        float *pieces = pushed(&rs, audio, n, 300, length);
        CHECK(memcmp(whole, pieces, length * sizeof *whole) == 0);
        free(pieces);
    }
#if defined(__x86_64__)
    unsigned control = _mm_getcsr();
    _mm_setcsr(control | 0x8040u); /* flush to zero, denormals are zero */
    CHECK(bc_resampler_use_isa(&rs, "scalar") == BC_OK);
    float *flushed = pushed(&rs, audio, n, 300, length);
    _mm_setcsr(control);
    CHECK(memcmp(whole, flushed, length * sizeof *whole) == 0);
    free(flushed);
#endif
    free(whole);
    drop(memory);
    drop(ram);
}

int main(void) {
    static float audio[4001];
    for (size_t i = 0; i < sizeof audio / sizeof audio[0]; i++) {
        audio[i] = (float)random_number() * 0x1p-24f - 0.5f;
        audio[i] *= i < 2000 ? 1.0f : i < 3500 ? 0x1p-58f : 0x1p-128f; /* to subnormals */
    }
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        test_rates(rates[i][0], rates[i][1], audio, 0);
        test_rates(rates[i][0], rates[i][1], audio, 1);
        test_rates(rates[i][0], rates[i][1], audio, sizeof audio / sizeof audio[0]);
    }
    CHECK(bc_resampler_check(999, 16000) == BC_BAD_IN_RATE);
    CHECK(bc_resampler_check(16000, 384001) == BC_BAD_OUT_RATE);
    CHECK(bc_resampler_ram_size(0, 16000) == 0);
    CHECK(bc_resampler_tables_size(16000, -1) == 0);
    return failures != 0;
}
