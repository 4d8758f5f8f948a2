/* SPDX-License-Identifier: Apache-2.0
 *
 * dump_integer IN.s16 OUT: the integer front-end's rows of raw little-endian int16 PCM in a number of
 * configurations, as int16 and as int8. Each is computed as a clip and as a stream in uneven pieces; exits
 * with 1 where the two differ. The output's hash is compared across compilers and targets.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <babycry/integer.h>

static int fail(const char *what) {
    fprintf(stderr, "dump_integer: %s\n", what);
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

/* Rows of int8 where kind is not NULL. */
static bc_status stream(bc_integer *fe, const bc_integer_int8 *kind, const int16_t *pcm, size_t n, void *rows,
                        size_t room, size_t *count) {
    size_t width = bc_integer_n_features(fe), got = 0;
    int16_t *s16 = rows;
    int8_t *s8 = rows;
    uint32_t random = 1;
    *count = 0;
    for (size_t at = 0; at < n;) {
        random = random * 1664525u + 1013904223u;
        size_t piece = (random >> 8) % 900u + 1u, done = *count * width;
        piece = piece < n - at ? piece : n - at;
        bc_status status = kind == NULL
                               ? bc_integer_push(fe, pcm + at, piece, s16 + done, room - *count, &got)
                               : bc_integer_push_int8(fe, kind, pcm + at, piece, s8 + done, room - *count, &got);
        if (status != BC_OK) {
            return status;
        }
        *count += got;
        at += piece;
    }
    bc_status status = kind == NULL
                           ? bc_integer_flush(fe, s16 + *count * width, room - *count, &got)
                           : bc_integer_flush_int8(fe, kind, s8 + *count * width, room - *count, &got);
    *count += got;
    return status;
}

static int dump_rows(bc_integer *fe, const bc_integer_int8 *kind, const int16_t *pcm, size_t n, FILE *out) {
    size_t width = bc_integer_n_features(fe), room = bc_integer_frame_count(fe, n), clip_count, count;
    int16_t *clip = malloc(room * width * sizeof *clip), *streamed = malloc(room * width * sizeof *clip);
    int8_t *small = malloc(room * width);
    if (bc_integer_compute(fe, pcm, n, clip, room, &clip_count) != BC_OK) {
        return fail("compute");
    }
    if (stream(fe, NULL, pcm, n, streamed, room, &count) != BC_OK || count != clip_count) {
        return fail("stream");
    }
    if (memcmp(clip, streamed, count * width * sizeof *clip) != 0) {
        return fail("the stream differs from the clip");
    }
    if (stream(fe, kind, pcm, n, small, room, &count) != BC_OK || count != clip_count) {
        return fail("stream of int8");
    }
    int failed = fwrite(clip, sizeof *clip, count * width, out) != count * width;
    failed |= fwrite(small, 1, count * width, out) != count * width;
    free(clip);
    free(streamed);
    free(small);
    return failed;
}

static int dump(const bc_frontend_config *cfg, const int16_t *pcm, size_t n, FILE *out) {
    bc_integer_tables tables;
    bc_integer fe;
    bc_integer_int8 kind;
    size_t tables_size = bc_integer_tables_size(cfg);
    void *tables_ram = malloc(tables_size + 1u);
    if (bc_integer_make_tables(cfg, &tables, tables_ram, tables_size) != BC_OK) {
        return fail("tables");
    }
    size_t ram_size = bc_integer_ram_size(&tables);
    void *ram = malloc(ram_size);
    if (bc_integer_init(&fe, &tables, ram, ram_size) != BC_OK ||
        bc_integer_make_int8(&tables, 0.47f, 37, &kind) != BC_OK) {
        return fail("init");
    }
    int failed = dump_rows(&fe, &kind, pcm, n, out);
    free(ram);
    free(tables_ram);
    return failed;
}

int main(int argc, char **argv) {
    size_t n;
    if (argc != 3) {
        return fail("usage: dump_integer IN.s16 OUT");
    }
    int16_t *pcm = read_pcm(argv[1], &n);
    FILE *out = fopen(argv[2], "wb");
    bc_frontend_config cfg;
    if (pcm == NULL || out == NULL || bc_frontend_profile(&cfg, "librosa") != BC_OK) {
        return fail("cannot read the input or write the output");
    }
    int failed = 0;
    /* every length of the FFT, with the other axes in turn */
    for (int32_t n_fft = 64, i = 0; n_fft <= 2048 && !failed; n_fft *= 2, i++) {
        cfg.n_fft = n_fft;
        cfg.win_length = n_fft - 30 * (i % 3);
        cfg.hop_length = n_fft / 3 + (i == 5 ? n_fft : 0);
        cfg.n_mels = n_fft < 256 ? 8 : 41;
        cfg.window_position = i % 2 ? BC_WINDOW_POSITION_LEFT : BC_WINDOW_POSITION_CENTER;
        cfg.framing = (bc_framing)(i % 3);
        cfg.spectrum = i % 2 ? BC_SPECTRUM_MAGNITUDE : BC_SPECTRUM_POWER;
        cfg.compression = i % 3 == 0 ? BC_COMPRESSION_DB : i % 3 == 1 ? BC_COMPRESSION_LOG : BC_COMPRESSION_LOG_MAX;
        cfg.log_offset = 0.001f;
        for (int32_t n_mfcc = 0; n_mfcc <= 7 && !failed; n_mfcc += 7) {
            cfg.n_mfcc = n_mfcc;
            cfg.dct_norm = i % 2 ? BC_DCT_NORM_ORTHO : BC_DCT_NORM_NONE;
            cfg.lifter = n_mfcc != 0 ? 22 * (i % 2) : 0;
            failed = dump(&cfg, pcm, n, out);
        }
    }
    free(pcm);
    return fclose(out) != 0 || failed;
}
