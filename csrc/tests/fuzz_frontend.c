/* SPDX-License-Identifier: Apache-2.0
 *
 * For libFuzzer: any bytes as a configuration and as audio. A configuration is accepted or refused with a
 * status; what is accepted must run inside its memory, and the stream, the windows and the int8 rows must
 * equal the clip.
 */
#include <stdlib.h>
#include <string.h>

#include <babycry/frontend.h>
#include <babycry/windows.h>

#define MAX_SAMPLES 6000u
#define MAX_FLOATS (1u << 22)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct input {
    const uint8_t *data;
    size_t size;
} input;

static uint32_t take(input *in, size_t n) {
    uint32_t value = 0;
    for (; n != 0 && in->size != 0; n--, in->size--) {
        value = value << 8 | *in->data++;
    }
    return value;
}

static void require(int holds) {
    if (!holds) {
        abort();
    }
}

/* A profile with some of its bytes replaced: whole fields by small or odd values, or by anything. */
static bc_frontend_config any_config(input *in) {
    bc_frontend_config cfg;
    size_t n_profiles = 0;
    while (bc_frontend_profile_name(n_profiles) != NULL) {
        n_profiles++;
    }
    require(bc_frontend_profile(&cfg, bc_frontend_profile_name(take(in, 1) % n_profiles)) == BC_OK);
    for (uint32_t changes = take(in, 1) % 8u; changes != 0; changes--) {
        uint32_t field = take(in, 1) % (uint32_t)(sizeof cfg / 4u), kind = take(in, 1) % 4u;
        uint32_t bits = take(in, kind == 0 ? 1 : kind == 1 ? 2 : 4);
        if (kind == 2) { /* a small number as float */
            float value = (float)(int32_t)(bits >> 8) / 256.0f;
            memcpy(&bits, &value, sizeof bits);
        }
        memcpy((unsigned char *)&cfg + 4u * field, &bits, sizeof bits);
    }
    return cfg;
}

typedef struct audio {
    int16_t pcm[MAX_SAMPLES];
    size_t n;
} audio;

static void stream_equals_clip(bc_frontend *fe, const audio *a, input pieces, const float *clip, size_t n_frames) {
    size_t width = bc_frontend_n_features(fe), count = 0, got = 0, at = 0;
    float *rows = malloc(n_frames * width * sizeof *rows + 1);
    bc_status status = bc_frontend_push(fe, a->pcm, 0, rows, n_frames, &got);
    while (at < a->n && status == BC_OK) {
        size_t piece = take(&pieces, 2) % 700u + 1u;
        piece = piece < a->n - at ? piece : a->n - at;
        status = bc_frontend_push(fe, a->pcm + at, piece, rows + count * width, n_frames - count, &got);
        count += status == BC_OK ? got : 0;
        at += piece;
    }
    if (status == BC_OK) {
        require(bc_frontend_flush(fe, rows + count * width, n_frames - count, &got) == BC_OK);
        require(count + got == n_frames && memcmp(rows, clip, n_frames * width * sizeof *rows) == 0);
    } else {
        require(status == BC_NEEDS_WHOLE_CLIP);
    }
    free(rows);
}

static void window_equals_clip(bc_frontend *fe, const audio *a, const float *clip, size_t n_rows) {
    size_t size = bc_windows_ram_size(fe, a->n), taken = 0, n_values = n_rows * bc_frontend_n_features(fe);
    bc_windows w;
    int ready = 0;
    if (size == 0 || size > 4u * MAX_FLOATS) {
        return;
    }
    void *ram = malloc(size);
    require(bc_windows_init(&w, fe, a->n, 1, ram, size) == BC_OK);
    size_t room = bc_windows_room(&w);
    float *rows = malloc(room * sizeof *rows);
    size_t first = a->n / 3u;
    require(bc_windows_push(&w, a->pcm, first, rows, &taken, &ready) == BC_OK && taken == first);
    require(bc_windows_push(&w, a->pcm + first, a->n - first, rows, &taken, &ready) == BC_OK && ready);
    require(memcmp(rows, clip, n_values * sizeof *rows) == 0);
    free(rows);
    free(ram);
}

/* Floats of any bits: they are refused, or taken and give frames. */
static void any_floats(bc_frontend *fe, input bits, size_t n_frames) {
    float pcm[512], *rows = malloc(bc_frontend_room(fe, n_frames) * sizeof *rows + 1);
    size_t n = take(&bits, 2) % 512u, got;
    for (size_t i = 0; i < n; i++) {
        uint32_t sample = take(&bits, 4);
        memcpy(&pcm[i], &sample, sizeof sample);
    }
    bc_status status = bc_frontend_compute(fe, pcm, n, rows, n_frames, &got);
    require(status == BC_OK || status == BC_CLIP_TOO_SHORT || status == BC_TOO_FEW_FRAMES ||
            status == BC_OUTPUT_TOO_SMALL || status == BC_SAMPLE_NOT_FINITE);
    free(rows);
}

static void run(const bc_frontend_config *cfg, const audio *a, input pieces) {
    size_t ram_size = bc_frontend_ram_size(cfg), n_rows = 0;
    void *ram = malloc(ram_size);
    bc_frontend fe;
    require(ram_size != 0 && bc_frontend_init(&fe, cfg, ram, ram_size) == BC_OK);
    size_t n_frames = bc_frontend_frame_count(&fe, a->n), room = bc_frontend_room(&fe, n_frames);
    if (room <= MAX_FLOATS) {
        float *clip = malloc(room * sizeof *clip + 1);
        bc_status status = bc_frontend_compute_int16(&fe, a->pcm, a->n, clip, n_frames, &n_rows);
        require(status == BC_OK || status == BC_CLIP_TOO_SHORT || status == BC_TOO_FEW_FRAMES);
        if (status == BC_OK) {
            stream_equals_clip(&fe, a, pieces, clip, n_rows);
            window_equals_clip(&fe, a, clip, n_rows);
        }
        any_floats(&fe, pieces, n_frames);
        free(clip);
    }
    free(ram);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static audio a;
    input in = {data, size};
    bc_frontend_config cfg = any_config(&in);
    bc_status status = bc_frontend_check(&cfg);
    require(bc_status_string(status)[0] != '\0');
    require((bc_frontend_ram_size(&cfg) != 0) == (status == BC_OK));
    if (status != BC_OK) {
        return 0;
    }
    a.n = take(&in, 2) % MAX_SAMPLES;
    input samples = in;
    for (size_t i = 0; i < a.n; i++) {
        if (samples.size == 0) {
            samples = in; /* again and again */
        }
        a.pcm[i] = (int16_t)(uint16_t)take(&samples, 2);
    }
    run(&cfg, &a, in);
    return 0;
}
