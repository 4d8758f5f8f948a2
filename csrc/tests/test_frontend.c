/* SPDX-License-Identifier: Apache-2.0
 *
 * The front-end as firmware calls it: misuse gives a status, memory stays within what was asked for,
 * every instruction set and a processor that flushes subnormals give the same bits.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include <babycry/frontend.h>
#include <babycry/tables.h>
#include <babycry/windows.h>

#define N_SAMPLES 12345
#define MAX_FRAMES (N_SAMPLES / 32)
#define MAX_VALUES (MAX_FRAMES * 136)

static int failures;
static float pcm[N_SAMPLES], expected[MAX_VALUES], features[MAX_VALUES];
static int16_t pcm16[N_SAMPLES];

#define CLAIM(condition) claim((condition), #condition, __LINE__)
static void claim(int holds, const char *what, int line) {
    if (!holds) {
        printf("line %d: FAILED: %s\n", line, what);
        failures++;
    }
}

static void make_signal(float level) {
    uint32_t random = 7;
    for (size_t i = 0; i < N_SAMPLES; i++) {
        random = random * 1664525u + 1013904223u;
        float noise = (float)(int32_t)random / 2147483648.0f;
        pcm16[i] = (int16_t)(level * 20000.0f * (0.2f * noise + 0.8f * sinf((float)i * (0.05f + 2e-6f * (float)i))));
        pcm[i] = (float)pcm16[i] / 32768.0f;
    }
}

static bc_frontend_config profile(const char *name) {
    bc_frontend_config cfg;
    CLAIM(bc_frontend_profile(&cfg, name) == BC_OK);
    return cfg;
}

static size_t compute(const bc_frontend_config *cfg, const char *isa, float *out) {
    bc_frontend fe;
    size_t ram_size = bc_frontend_ram_size(cfg), n = 0;
    void *ram = malloc(ram_size);
    CLAIM(bc_frontend_init(&fe, cfg, ram, ram_size) == BC_OK);
    CLAIM(isa == NULL || bc_frontend_use_isa(&fe, isa) == BC_OK);
    CLAIM(bc_frontend_room(&fe, MAX_FRAMES) <= MAX_VALUES);
    CLAIM(bc_frontend_compute(&fe, pcm, N_SAMPLES, out, MAX_FRAMES, &n) == BC_OK);
    free(ram);
    return n * bc_frontend_n_features(&fe);
}

static void every_instruction_set_gives_the_same_bits(void) {
    for (size_t p = 0; bc_frontend_profile_name(p) != NULL; p++) {
        bc_frontend_config cfg = profile(bc_frontend_profile_name(p));
        size_t n = compute(&cfg, "scalar", expected);
        for (size_t i = 0; bc_frontend_isa_name(i) != NULL; i++) {
            CLAIM(compute(&cfg, bc_frontend_isa_name(i), features) == n);
            CLAIM(memcmp(expected, features, n * sizeof *features) == 0);
        }
    }
}

static void int16_and_float_give_the_same_bits(void) {
    bc_frontend_config cfg = profile("librosa");
    size_t n = compute(&cfg, NULL, expected), frames, ram_size = bc_frontend_ram_size(&cfg);
    void *ram = malloc(ram_size);
    bc_frontend fe;
    CLAIM(bc_frontend_init(&fe, &cfg, ram, ram_size) == BC_OK);
    CLAIM(bc_frontend_compute_int16(&fe, pcm16, N_SAMPLES, features, MAX_FRAMES, &frames) == BC_OK);
    CLAIM(memcmp(expected, features, n * sizeof *features) == 0);
    free(ram);
}

static void flushing_subnormals_changes_nothing(void) {
#if defined(__x86_64__)
    const float levels[] = {1.0f, 1e-3f, 0.0f};
    for (size_t p = 0; bc_frontend_profile_name(p) != NULL; p++) {
        for (size_t i = 0; i < 3; i++) {
            make_signal(levels[i]);
            for (size_t k = 0; k < N_SAMPLES; k += 3) {
                pcm[k] += 1e-39f; /* subnormal */
            }
            bc_frontend_config cfg = profile(bc_frontend_profile_name(p));
            for (int linear = 0; linear < (cfg.compression == BC_COMPRESSION_TFLM ? 1 : 2); linear++) {
                cfg.compression = linear ? BC_COMPRESSION_NONE : cfg.compression;
                cfg.top_db = linear ? 0.0f : cfg.top_db;
                size_t n = compute(&cfg, NULL, expected);
                _mm_setcsr(_mm_getcsr() | 0x8040u);
                compute(&cfg, NULL, features);
                _mm_setcsr(_mm_getcsr() & ~0x8040u);
                CLAIM(memcmp(expected, features, n * sizeof *features) == 0);
            }
        }
    }
    make_signal(1.0f);
#endif
}

static void memory_stays_within_what_was_asked_for(void) {
    for (size_t p = 0; bc_frontend_profile_name(p) != NULL; p++) {
        bc_frontend_config cfg = profile(bc_frontend_profile_name(p));
        cfg.normalize = BC_NORMALIZE_NONE;
        size_t ram_size = bc_frontend_ram_size(&cfg), n, total = 0;
        for (size_t shift = 0; shift < 2; shift++) { /* also when it is not aligned */
            unsigned char *memory = malloc(ram_size + 2), *ram = memory + shift;
            memset(memory, 0xa5, ram_size + 2);
            bc_frontend fe;
            CLAIM(bc_frontend_init(&fe, &cfg, ram, ram_size - 1) == BC_RAM_TOO_SMALL);
            CLAIM(bc_frontend_init(&fe, &cfg, ram, ram_size) == BC_OK);
            CLAIM(bc_frontend_compute(&fe, pcm, N_SAMPLES, features, MAX_FRAMES, &n) == BC_OK);
            bc_status status = bc_frontend_push_float(&fe, pcm, N_SAMPLES, features, MAX_FRAMES, &total);
            CLAIM(status == BC_OK || status == BC_NEEDS_WHOLE_CLIP);
            CLAIM(status != BC_OK || bc_frontend_flush_count(&fe) == n - total);
            CLAIM(ram[ram_size] == 0xa5 && (shift == 0 || memory[0] == 0xa5));
            free(memory);
        }
    }
}

/* Tables in the caller's memory, as firmware has them in flash. */
static void constant_tables_give_the_same_bits(void) {
    for (size_t p = 0; bc_frontend_profile_name(p) != NULL; p++) {
        bc_frontend_config cfg = profile(bc_frontend_profile_name(p));
        if (cfg.compression == BC_COMPRESSION_TFLM) {
            CLAIM(bc_frontend_tables_size(&cfg) == 0); /* it has its own */
            continue;
        }
        size_t n = compute(&cfg, NULL, expected), size = bc_frontend_tables_size(&cfg), rows;
        void *memory = malloc(size);
        bc_frontend_tables tables;
        bc_frontend fe;
        CLAIM(bc_frontend_make_tables(&tables, &cfg, memory, size - 1) == BC_RAM_TOO_SMALL);
        CLAIM(bc_frontend_make_tables(&tables, &cfg, memory, size) == BC_OK);
        size_t work = bc_frontend_work_size(&tables);
        CLAIM(work + size == bc_frontend_ram_size(&cfg));
        unsigned char *ram = malloc(work);
        CLAIM(bc_frontend_init_tables(&fe, &tables, ram, work - 1) == BC_RAM_TOO_SMALL);
        CLAIM(bc_frontend_init_tables(&fe, &tables, ram, work) == BC_OK);
        CLAIM(bc_frontend_compute(&fe, pcm, N_SAMPLES, features, MAX_FRAMES, &rows) == BC_OK);
        CLAIM(memcmp(expected, features, n * sizeof *features) == 0);
        tables.n_position--;
        CLAIM(bc_frontend_init_tables(&fe, &tables, ram, work) == BC_BAD_TABLES);
        free(ram);
        free(memory);
    }
}

static void windows_stay_within_their_memory_and_equal_the_clip(void) {
    for (size_t p = 0; bc_frontend_profile_name(p) != NULL; p++) {
        bc_frontend_config cfg = profile(bc_frontend_profile_name(p));
        size_t n = compute(&cfg, NULL, expected), ram_size = bc_frontend_ram_size(&cfg), taken;
        void *ram = malloc(ram_size);
        bc_frontend fe;
        bc_windows w;
        int ready = 0;
        CLAIM(bc_frontend_init(&fe, &cfg, ram, ram_size) == BC_OK);
        if (cfg.compression == BC_COMPRESSION_TFLM) {
            CLAIM(bc_windows_init(&w, &fe, N_SAMPLES, 3, ram, ram_size) == BC_NEEDS_STREAM);
            free(ram);
            continue;
        }
        size_t size = bc_windows_ram_size(&fe, N_SAMPLES);
        unsigned char *memory = malloc(size + 2), *own = memory + 1;
        memset(memory, 0xa5, size + 2);
        CLAIM(bc_windows_init(&w, &fe, N_SAMPLES, 0, own, size) == BC_BAD_WINDOW_LENGTH);
        CLAIM(bc_windows_init(&w, &fe, N_SAMPLES, 3, own, size - 1) == BC_RAM_TOO_SMALL);
        CLAIM(bc_windows_init(&w, &fe, N_SAMPLES, 3, own, size) == BC_OK);
        CLAIM(bc_windows_room(&w) <= MAX_VALUES);
        CLAIM(bc_windows_push_count(&w, N_SAMPLES) == 1);
        CLAIM(bc_windows_push(&w, pcm16, N_SAMPLES - 1, features, &taken, &ready) == BC_OK && !ready);
        CLAIM(bc_windows_push(&w, pcm16 + taken, 1, features, &taken, &ready) == BC_OK && ready);
        CLAIM(memcmp(expected, features, n * sizeof *features) == 0);
        CLAIM(own[size] == 0xa5 && memory[0] == 0xa5);
        free(memory);
        free(ram);
    }
}

static void int8_rows_equal_quantised_rows(void) {
    bc_frontend_config cfg = profile("torchaudio");
    static int8_t rows[MAX_VALUES], wanted[MAX_VALUES];
    size_t ram_size = bc_frontend_ram_size(&cfg), n, last;
    void *ram = malloc(ram_size);
    bc_frontend fe;
    for (cfg.n_mfcc = 0; cfg.n_mfcc <= 13; cfg.n_mfcc += 13) {
        size_t width = (size_t)(cfg.n_mfcc != 0 ? cfg.n_mfcc : cfg.n_mels);
        ram_size = bc_frontend_ram_size(&cfg);
        ram = realloc(ram, ram_size);
        CLAIM(bc_frontend_init(&fe, &cfg, ram, ram_size) == BC_OK);
        CLAIM(bc_frontend_push(&fe, pcm16, N_SAMPLES, features, MAX_FRAMES, &n) == BC_OK);
        CLAIM(bc_frontend_flush(&fe, features + n * width, MAX_FRAMES, &last) == BC_OK);
        CLAIM(bc_features_quantize(features, (n + last) * width, 0.37f, -5, wanted) == BC_OK);
        CLAIM(bc_frontend_push_int8(&fe, pcm16, N_SAMPLES, 0.0f, 0, rows, MAX_FRAMES, &n) == BC_BAD_QUANTIZATION);
        CLAIM(bc_frontend_push_int8(&fe, pcm16, N_SAMPLES, 0.37f, -5, rows, MAX_FRAMES, &n) == BC_OK);
        CLAIM(bc_frontend_flush_int8(&fe, 0.37f, -5, rows + n * width, MAX_FRAMES, &last) == BC_OK);
        CLAIM(memcmp(rows, wanted, (n + last) * width) == 0);
    }
    free(ram);
}

static void misuse_gives_a_status_and_consumes_nothing(void) {
    bc_frontend_config cfg = profile("torchaudio");
    size_t ram_size = bc_frontend_ram_size(&cfg), n = 99;
    void *ram = malloc(ram_size);
    bc_frontend fe;
    CLAIM(bc_frontend_profile(&cfg, "nothing") == BC_UNKNOWN_PROFILE);
    CLAIM(bc_frontend_profile(NULL, "librosa") == BC_NULL_POINTER);
    CLAIM(bc_frontend_init(NULL, &cfg, ram, ram_size) == BC_NULL_POINTER);
    CLAIM(bc_frontend_init(&fe, NULL, ram, ram_size) == BC_NULL_POINTER);
    CLAIM(bc_frontend_init(&fe, &cfg, ram, ram_size) == BC_OK);
    CLAIM(bc_frontend_use_isa(&fe, "mmx") == BC_UNKNOWN_ISA);
    CLAIM(bc_frontend_compute(&fe, NULL, 1, features, 1, &n) == BC_NULL_POINTER);
    CLAIM(bc_frontend_compute(&fe, pcm, 200, features, 99, &n) == BC_CLIP_TOO_SHORT);
    CLAIM(bc_frontend_compute(&fe, pcm, 2000, features, 10, &n) == BC_OUTPUT_TOO_SMALL);
    CLAIM(bc_frontend_push(&fe, pcm16, 2000, features, 1, &n) == BC_OUTPUT_TOO_SMALL);
    pcm[1999] = NAN;
    CLAIM(bc_frontend_compute(&fe, pcm, 2000, features, 11, &n) == BC_SAMPLE_NOT_FINITE);
    CLAIM(bc_frontend_push_float(&fe, pcm, 2000, features, 11, &n) == BC_SAMPLE_NOT_FINITE);
    pcm[1999] = -INFINITY;
    CLAIM(bc_frontend_push_float(&fe, pcm, 2000, features, 11, &n) == BC_SAMPLE_NOT_FINITE);
    pcm[1999] = 0.0f;
    CLAIM(n == 99);
    CLAIM(bc_frontend_push_count(&fe, 2000) == 10);
    CLAIM(bc_frontend_push(&fe, pcm16, 150, features, 11, &n) == BC_OK && n == 0);
    CLAIM(bc_frontend_flush(&fe, features, 11, &n) == BC_CLIP_TOO_SHORT);
    CLAIM(bc_frontend_push(&fe, pcm16, 2000, features, 11, &n) == BC_OK && n == 10);
    cfg.top_db = 80.0f;
    CLAIM(bc_frontend_init(&fe, &cfg, ram, ram_size) == BC_OK);
    CLAIM(bc_frontend_push(&fe, pcm16, 1, features, 1, &n) == BC_NEEDS_WHOLE_CLIP);
    cfg.n_fft = 514; /* 257 is prime */
    CLAIM(bc_frontend_check(&cfg) == BC_BAD_N_FFT);
    CLAIM(bc_frontend_ram_size(&cfg) == 0);
    CLAIM(bc_frontend_init(&fe, &cfg, ram, ram_size) == BC_BAD_N_FFT);
    free(ram);
}

static void every_status_has_words(void) {
    for (int status = BC_OK; status <= BC_BAD_FIT; status++) {
        CLAIM(strcmp(bc_status_string((bc_status)status), "unknown status") != 0);
    }
}

int main(void) {
    make_signal(1.0f);
    every_instruction_set_gives_the_same_bits();
    int16_and_float_give_the_same_bits();
    flushing_subnormals_changes_nothing();
    memory_stays_within_what_was_asked_for();
    constant_tables_give_the_same_bits();
    windows_stay_within_their_memory_and_equal_the_clip();
    int8_rows_equal_quantised_rows();
    misuse_gives_a_status_and_consumes_nothing();
    every_status_has_words();
    printf("test_frontend: %d claims failed\n", failures);
    return failures != 0;
}
