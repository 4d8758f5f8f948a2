/* SPDX-License-Identifier: Apache-2.0
 *
 * The integer front-end as firmware calls it: misuse gives a status and takes nothing, memory stays within
 * what was asked for, and the RAM of the project's own configuration is what the documentation says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <babycry/integer.h>

#define N_SAMPLES 4000
#define MAX_FRAMES 32

static int failures;
static int16_t pcm[N_SAMPLES], rows[MAX_FRAMES * 64], expected[MAX_FRAMES * 64];
static int8_t small[MAX_FRAMES * 64];

#define CLAIM(condition) claim((condition), #condition, __LINE__)
static void claim(int holds, const char *what, int line) {
    if (!holds) {
        printf("line %d: FAILED: %s\n", line, what);
        failures++;
    }
}

static bc_frontend_config log_mel(void) {
    bc_frontend_config cfg;
    CLAIM(bc_frontend_profile(&cfg, "librosa") == BC_OK);
    cfg.n_fft = cfg.win_length = 512;
    cfg.hop_length = 160;
    cfg.n_mels = 64;
    return cfg;
}

static void tables_take_what_they_say_and_no_less(void) {
    bc_frontend_config cfg = log_mel();
    bc_integer_tables tables;
    size_t size = bc_integer_tables_size(&cfg);
    for (size_t offset = 0; offset < 8; offset++) {
        char *ram = malloc(size + offset);
        CLAIM(bc_integer_make_tables(&cfg, &tables, ram + offset, size) == BC_OK);
        free(ram);
    }
    char *ram = malloc(size);
    CLAIM(bc_integer_make_tables(&cfg, &tables, ram, size - 1) == BC_RAM_TOO_SMALL);
    CLAIM(bc_integer_make_tables(&cfg, &tables, NULL, size) == BC_NULL_POINTER);
    CLAIM(bc_integer_make_tables(NULL, &tables, ram, size) == BC_NULL_POINTER);
    cfg.n_fft = 400;
    cfg.win_length = 400;
    CLAIM(bc_integer_make_tables(&cfg, &tables, ram, size) == BC_BAD_N_FFT);
    CLAIM(bc_integer_tables_size(&cfg) == 0);
    free(ram);
}

static void what_does_not_fit_is_not_taken(const bc_integer_tables *tables) {
    static char ram[BC_INTEGER_RAM_SIZE(512, 64, 0)];
    bc_integer fe;
    bc_integer_int8 kind;
    size_t count = 99, flushed;
    CLAIM(sizeof ram == bc_integer_ram_size(tables) && sizeof ram + sizeof fe <= 5 * 1024);
    CLAIM(bc_integer_init(&fe, tables, ram, sizeof ram - 1) == BC_RAM_TOO_SMALL);
    CLAIM(bc_integer_init(&fe, tables, NULL, sizeof ram) == BC_NULL_POINTER);
    CLAIM(bc_integer_init(&fe, tables, ram, sizeof ram) == BC_OK);
    CLAIM(bc_integer_compute(&fe, pcm, N_SAMPLES, expected, MAX_FRAMES, &count) == BC_OK && count == 26);
    CLAIM(bc_integer_compute(&fe, pcm, N_SAMPLES, rows, 25, &count) == BC_OUTPUT_TOO_SMALL);

    size_t due = bc_integer_push_count(&fe, N_SAMPLES);
    CLAIM(due == 24);
    CLAIM(bc_integer_push(&fe, pcm, N_SAMPLES, rows, due - 1, &count) == BC_OUTPUT_TOO_SMALL);
    CLAIM(bc_integer_push(&fe, pcm, N_SAMPLES, NULL, due, &count) == BC_OUTPUT_TOO_SMALL);
    CLAIM(bc_integer_push(&fe, NULL, 1, rows, due, &count) == BC_NULL_POINTER);
    CLAIM(bc_integer_push_int8(&fe, NULL, pcm, N_SAMPLES, small, due, &count) == BC_NULL_POINTER);
    CLAIM(bc_integer_push(&fe, NULL, 0, NULL, 0, &count) == BC_OK && count == 0);
    CLAIM(bc_integer_push(&fe, pcm, N_SAMPLES, rows, due, &count) == BC_OK && count == due);
    CLAIM(bc_integer_flush_count(&fe) == 2);
    CLAIM(bc_integer_flush(&fe, rows + due * 64, 1, &flushed) == BC_OUTPUT_TOO_SMALL);
    CLAIM(bc_integer_flush(&fe, rows + due * 64, 2, &flushed) == BC_OK && flushed == 2);
    CLAIM(memcmp(rows, expected, (due + 2) * 64 * sizeof *rows) == 0);

    CLAIM(bc_integer_make_int8(tables, 0.0f, 0, &kind) == BC_BAD_QUANTIZATION);
    CLAIM(bc_integer_make_int8(tables, 1.0f, 128, &kind) == BC_BAD_QUANTIZATION);
    CLAIM(bc_integer_make_int8(tables, 1.0f / 128.0f, 0, &kind) == BC_OK); /* one step is one step */
    CLAIM(bc_integer_push_int8(&fe, &kind, pcm, N_SAMPLES, small, due, &count) == BC_OK);
    for (size_t i = 0; i < due * 64; i++) {
        int16_t x = expected[i];
        CLAIM(small[i] == (x < -128 ? -128 : x > 127 ? 127 : x));
    }
}

int main(void) {
    bc_frontend_config cfg = log_mel();
    bc_integer_tables tables;
    uint32_t random = 1;
    for (size_t i = 0; i < N_SAMPLES; i++) {
        random = random * 1664525u + 1013904223u;
        pcm[i] = (int16_t)(random >> (i < 2000 ? 16 : 26));
    }
    size_t size = bc_integer_tables_size(&cfg);
    void *ram = malloc(size);
    CLAIM(bc_integer_make_tables(&cfg, &tables, ram, size) == BC_OK);
    tables_take_what_they_say_and_no_less();
    what_does_not_fit_is_not_taken(&tables);
    free(ram);
    printf(failures == 0 ? "all claims hold\n" : "%d claims fail\n", failures);
    return failures != 0;
}
