/* SPDX-License-Identifier: Apache-2.0
 *
 * dump_conditioning IN.s16 OUT.f32 [ISA]: raw little-endian int16 PCM at 16 kHz resampled between many
 * pairs of rates, normalised to its peak, mixed down and trimmed, one after the other. The resampling is
 * done at once and in uneven pieces; exits with 1 where the two differ in a bit. The output's hash is
 * compared across targets.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <babycry/conditioning.h>
#include <babycry/resample.h>

static const int32_t rates[][2] = {{8000, 16000},  {11025, 16000}, {22050, 16000}, {32000, 16000},
                                   {44100, 16000}, {48000, 16000}, {16000, 44100}, {16000, 8000},
                                   {16000, 16000}, {8000, 48000},  {16000, 15001}};

static int fail(const char *what) {
    fprintf(stderr, "dump_conditioning: %s\n", what);
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

/* Pieces of up to max_piece samples. */
static size_t stream(bc_resampler *rs, const int16_t *pcm, size_t n, size_t max_piece, float *out, size_t room) {
    uint32_t random = 1;
    size_t count = 0, got = 0;
    for (size_t at = 0; at < n;) {
        random = random * 1664525u + 1013904223u;
        size_t piece = (random >> 8) % max_piece + 1u;
        piece = max_piece >= n ? n : piece < n - at ? piece : n - at;
        if (bc_resampler_push(rs, pcm + at, piece, out + count, room - count, &got) != BC_OK) {
            return 0;
        }
        count += got;
        at += piece;
    }
    return bc_resampler_flush(rs, out + count, room - count, &got) == BC_OK ? count + got : 0;
}

static int dump_resampled(int32_t in_rate, int32_t out_rate, const char *isa, const int16_t *pcm, size_t n,
                          FILE *out) {
    size_t tables_size = bc_resampler_tables_size(in_rate, out_rate);
    size_t ram_size = bc_resampler_ram_size(in_rate, out_rate), length = bc_resampler_length(in_rate, out_rate, n);
    void *memory = malloc(tables_size + 1), *ram = malloc(ram_size + 1);
    float *whole = malloc(length * sizeof *whole + 1), *pieces = malloc(length * sizeof *pieces + 1);
    bc_resampler_tables tables;
    bc_resampler rs;
    if (bc_resampler_make_tables(&tables, in_rate, out_rate, memory, tables_size) != BC_OK ||
        bc_resampler_init(&rs, &tables, ram, ram_size) != BC_OK) {
        return fail("init");
    }
    if (isa != NULL && bc_resampler_use_isa(&rs, isa) != BC_OK) {
        return fail("no such instruction set");
    }
    if (stream(&rs, pcm, n, n, whole, length) != length || stream(&rs, pcm, n, 500, pieces, length) != length) {
        return fail("length");
    }
    if (memcmp(whole, pieces, length * sizeof *whole) != 0) {
        return fail("the pieces differ from the whole");
    }
    fwrite(whole, sizeof *whole, length, out);
    free(memory);
    free(ram);
    free(whole);
    free(pieces);
    return 0;
}

static int dump_others(const int16_t *pcm, size_t n, FILE *out) {
    float *audio = malloc(n * sizeof *audio + 1);
    size_t bounds[4];
    for (size_t i = 0; i < n; i++) {
        audio[i] = (float)pcm[i] * (1.0f / 32768.0f);
    }
    if (bc_trim(audio, n, 20.0f, 2048, 512, &bounds[0], &bounds[1]) != BC_OK ||
        bc_trim_int16(pcm, n, 20.0f, 2048, 512, &bounds[2], &bounds[3]) != BC_OK) {
        return fail("trim");
    }
    for (size_t i = 0; i < 4; i++) {
        float bound = (float)bounds[i];
        fwrite(&bound, sizeof bound, 1, out);
    }
    if (bc_normalize_peak(audio, n, audio) != BC_OK || bc_to_mono(audio, n / 3, 3, audio) != BC_OK ||
        bc_fit_length(audio, n / 3, audio, n, BC_FIT_CENTER) != BC_OK) {
        return fail("conditioning");
    }
    fwrite(audio, sizeof *audio, n, out);
    free(audio);
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        return fail("usage: dump_conditioning IN.s16 OUT.f32 [ISA]");
    }
    size_t n = 0;
    int16_t *pcm = read_pcm(argv[1], &n);
    FILE *out = fopen(argv[2], "wb");
    if (pcm == NULL || out == NULL) {
        return fail("cannot read or write the files");
    }
    int failed = 0;
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        failed |= dump_resampled(rates[i][0], rates[i][1], argc > 3 ? argv[3] : NULL, pcm, n, out);
    }
    failed |= dump_others(pcm, n, out);
    free(pcm);
    return fclose(out) != 0 || failed;
}
