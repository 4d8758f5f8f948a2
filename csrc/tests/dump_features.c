/* SPDX-License-Identifier: Apache-2.0
 *
 * dump_features IN.s16 OUT.f32 [ISA]: the features of raw little-endian int16 PCM in every profile, one
 * profile after the other. Each is computed as a clip and as a stream in uneven pieces; exits with 1
 * where the two differ in a bit. The output's hash is compared across targets.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <babycry/frontend.h>

static int fail(const char *what) {
    fprintf(stderr, "dump_features: %s\n", what);
    return 1;
}

static int16_t *read_pcm(const char *path, size_t *n) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        return NULL;
    }
    *n = (size_t)ftell(file) / sizeof(int16_t);
    rewind(file);
    int16_t *pcm = malloc(*n * sizeof *pcm + 1);
    if (pcm != NULL && fread(pcm, sizeof *pcm, *n, file) != *n) {
        free(pcm);
        pcm = NULL;
    }
    fclose(file);
    return pcm;
}

static bc_status stream(bc_frontend *fe, const int16_t *pcm, size_t n, float *features, size_t room,
                        size_t width, size_t *count) {
    uint32_t random = 1;
    *count = 0;
    for (size_t at = 0; at < n;) {
        random = random * 1664525u + 1013904223u;
        size_t piece = (random >> 8) % 4000u + 1u, got;
        piece = piece < n - at ? piece : n - at;
        bc_status status = bc_frontend_push(fe, pcm + at, piece, features + *count * width, room - *count, &got);
        if (status != BC_OK) {
            return status;
        }
        *count += got;
        at += piece;
    }
    size_t got = 0;
    bc_status status = bc_frontend_flush(fe, features + *count * width, room - *count, &got);
    *count += got;
    return status;
}

static int dump(const char *profile, const char *isa, const int16_t *pcm, size_t n, FILE *out) {
    bc_frontend_config cfg;
    bc_frontend fe;
    if (bc_frontend_profile(&cfg, profile) != BC_OK) {
        return fail("no such profile");
    }
    cfg.normalize = BC_NORMALIZE_NONE;
    size_t ram_size = bc_frontend_ram_size(&cfg);
    void *ram = malloc(ram_size);
    if (bc_frontend_init(&fe, &cfg, ram, ram_size) != BC_OK) {
        return fail("init");
    }
    if (isa != NULL && bc_frontend_use_isa(&fe, isa) != BC_OK) {
        return fail("no such instruction set");
    }
    size_t n_frames = bc_frontend_frame_count(&fe, n), width = bc_frontend_n_features(&fe);
    size_t whole_count, stream_count, room = bc_frontend_room(&fe, n_frames) * sizeof(float);
    float *whole = malloc(room), *streamed = malloc(room);
    if (bc_frontend_compute_int16(&fe, pcm, n, whole, n_frames, &whole_count) != BC_OK) {
        return fail("compute");
    }
    size_t size = whole_count * width * sizeof *whole;
    bc_status status = stream(&fe, pcm, n, streamed, n_frames, width, &stream_count);
    if (status != BC_OK && status != BC_NEEDS_WHOLE_CLIP) {
        return fail("stream");
    }
    if (status == BC_OK && (whole_count != stream_count || memcmp(whole, streamed, size) != 0)) {
        return fail("the stream differs from the clip");
    }
    int failed = fwrite(whole, 1, size, out) != size;
    free(whole);
    free(streamed);
    free(ram);
    return failed;
}

int main(int argc, char **argv) {
    size_t n;
    if (argc < 3) {
        return fail("usage: dump_features IN.s16 OUT.f32 [ISA]");
    }
    int16_t *pcm = read_pcm(argv[1], &n);
    FILE *out = fopen(argv[2], "wb");
    if (pcm == NULL || out == NULL) {
        return fail("cannot read the input or write the output");
    }
    int failed = 0;
    for (size_t i = 0; bc_frontend_profile_name(i) != NULL && !failed; i++) {
        failed = dump(bc_frontend_profile_name(i), argc > 3 ? argv[3] : NULL, pcm, n, out);
    }
    free(pcm);
    return fclose(out) != 0 || failed;
}
