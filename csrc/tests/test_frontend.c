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

#define N_SAMPLES 12345
#define MAX_VALUES (N_SAMPLES / 32 * 128)

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
    CLAIM(bc_frontend_compute(&fe, pcm, N_SAMPLES, out, MAX_VALUES / (size_t)cfg->n_mels, &n) == BC_OK);
    free(ram);
    return n * (size_t)cfg->n_mels;
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
    CLAIM(bc_frontend_compute_int16(&fe, pcm16, N_SAMPLES, features, n, &frames) == BC_OK);
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
            for (int linear = 0; linear < 2; linear++) {
                cfg.compression = linear ? BC_COMPRESSION_NONE : cfg.compression;
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
            CLAIM(bc_frontend_compute(&fe, pcm, N_SAMPLES, features, MAX_VALUES / 128, &n) == BC_OK);
            CLAIM(bc_frontend_push_float(&fe, pcm, N_SAMPLES, features, MAX_VALUES / 128, &total) == BC_OK);
            CLAIM(bc_frontend_flush_count(&fe) == n - total);
            CLAIM(ram[ram_size] == 0xa5 && (shift == 0 || memory[0] == 0xa5));
            free(memory);
        }
    }
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
    for (int status = BC_OK; status <= BC_BAD_NORMALIZE; status++) {
        CLAIM(strcmp(bc_status_string((bc_status)status), "unknown status") != 0);
    }
}

int main(void) {
    make_signal(1.0f);
    every_instruction_set_gives_the_same_bits();
    int16_and_float_give_the_same_bits();
    flushing_subnormals_changes_nothing();
    memory_stays_within_what_was_asked_for();
    misuse_gives_a_status_and_consumes_nothing();
    every_status_has_words();
    printf("test_frontend: %d claims failed\n", failures);
    return failures != 0;
}
