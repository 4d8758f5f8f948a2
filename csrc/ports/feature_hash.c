/* SPDX-License-Identifier: Apache-2.0
 *
 * feature_hash [--isa=NAME] [--samples=N] FILE...: one line per profile and file of raw little-endian
 * int16 PCM: file, profile, and the FNV-1a hash (64 bits) of the features' bytes. The features are
 * computed as a clip, and as a stream in uneven pieces where the profile allows one; the program ends with
 * 1 where the two differ in a bit. A clip that does not fit the RAM is only streamed.
 * --samples: of each file only so many. The hashes are compared across targets.
 */
#include <babycry/frontend.h>

#include "fnv1a.h"
#include "port.h"

#define ROWS_AT_A_TIME 4u /* the least room for a stream's features */

typedef struct area {
    uint8_t *at;
    size_t left;
} area;

static void *take(area *memory, size_t size) {
    size = (size + 7u) & ~(size_t)7u;
    if (size > memory->left) {
        return NULL;
    }
    void *taken = memory->at;
    memory->at += size;
    memory->left -= size;
    return taken;
}

static bc_status hash_stream(bc_frontend *fe, const int16_t *pcm, size_t n, float *features, size_t max_rows,
                             uint64_t *hash) {
    uint32_t random = 1;
    size_t got, row = bc_frontend_n_features(fe);
    *hash = FNV1A_OF_NOTHING;
    for (size_t at = 0; at < n;) {
        random = random * 1664525u + 1013904223u;
        size_t piece = (random >> 8) % 4000u + 1u;
        piece = piece < n - at ? piece : n - at;
        while (piece > 1u && bc_frontend_push_count(fe, piece) > max_rows) {
            piece /= 2u;
        }
        bc_status status = bc_frontend_push(fe, pcm + at, piece, features, max_rows, &got);
        if (status != BC_OK) {
            return status;
        }
        *hash = fnv1a(features, got * row * sizeof *features, *hash);
        at += piece;
    }
    bc_status status = bc_frontend_flush(fe, features, max_rows, &got);
    *hash = status == BC_OK ? fnv1a(features, got * row * sizeof *features, *hash) : *hash;
    return status;
}

static int fail(const char *what, const char *profile, const char *file) {
    const char *words[] = {"feature_hash: ", profile, " ", file, ": ", what, "\n"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        port_write(words[i]);
    }
    return 1;
}

static int hash_file(bc_frontend *fe, const char *profile, const char *file, size_t n_samples,
                     area memory) {
    if (!port_open(file)) {
        return fail("cannot be read", profile, file);
    }
    int16_t *pcm = (int16_t *)(void *)memory.at;
    size_t most = n_samples * sizeof *pcm < memory.left ? n_samples * sizeof *pcm : memory.left;
    size_t n = port_read(pcm, most) / sizeof *pcm, n_rows, row = bc_frontend_n_features(fe);
    take(&memory, n * sizeof *pcm);
    float *features = (float *)(void *)memory.at;
    size_t room = memory.left / sizeof *features, wanted = bc_frontend_frame_count(fe, n);
    uint64_t clip = 0, streamed = 0;
    int clip_fits = bc_frontend_room(fe, wanted) <= room;
    if (clip_fits) {
        if (bc_frontend_compute_int16(fe, pcm, n, features, wanted, &n_rows) != BC_OK) {
            return fail("bc_frontend_compute_int16", profile, file);
        }
        clip = fnv1a(features, n_rows * row * sizeof *features, FNV1A_OF_NOTHING);
    }
    size_t max_rows = room / bc_frontend_room(fe, 1);
    bc_status status = max_rows < ROWS_AT_A_TIME ? BC_OUTPUT_TOO_SMALL
                                                 : hash_stream(fe, pcm, n, features, max_rows, &streamed);
    if (status == BC_NEEDS_WHOLE_CLIP && clip_fits) {
        streamed = clip;
    } else if (status != BC_OK) {
        return fail(bc_status_string(status), profile, file);
    } else if (clip_fits && clip != streamed) {
        return fail("the stream differs from the clip", profile, file);
    }
    const char *words[] = {file, " ", profile, " "};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        port_write(words[i]);
    }
    print_hex(streamed);
    port_write("\n");
    return 0;
}

static int hash_profile(const char *profile, int argc, char **argv, area memory) {
    bc_frontend_config cfg;
    bc_frontend fe;
    const char *isa = argument(argc, argv, "isa");
    bc_frontend_profile(&cfg, profile);
    size_t ram_size = bc_frontend_ram_size(&cfg);
    void *ram = take(&memory, ram_size);
    if (ram == NULL || bc_frontend_init(&fe, &cfg, ram, ram_size) != BC_OK) {
        return fail("bc_frontend_init", profile, "(no file)");
    }
    if (isa != NULL && bc_frontend_use_isa(&fe, isa) != BC_OK) {
        return fail("bc_frontend_use_isa", profile, isa);
    }
    uint32_t n_samples = argument_unsigned(argc, argv, "samples", UINT32_MAX / 4u);
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        failed |= argv[i][0] != '-' && hash_file(&fe, profile, argv[i], n_samples, memory);
    }
    return failed;
}

int program(int argc, char **argv) {
    area memory;
    memory.at = port_memory(&memory.left);
    int failed = 0;
    for (size_t i = 0; bc_frontend_profile_name(i) != NULL; i++) {
        failed |= hash_profile(bc_frontend_profile_name(i), argc, argv, memory);
    }
    return failed;
}
