/* SPDX-License-Identifier: Apache-2.0
 *
 * dump_tflm IN.s16 OUT.u16 [HOP]: the tflm-micro features of raw little-endian int16 PCM at 16 kHz,
 * computed as a stream in uneven pieces. The output's hash is compared across targets.
 */
#include <stdio.h>
#include <stdlib.h>

#include <babycry/tflm.h>

static uint32_t memory[2048];
static uint32_t ram[(BC_TFLM_RAM_SIZE(480, 512, 40) + 3) / 4];

static int fail(const char *what) {
    fprintf(stderr, "dump_tflm: %s\n", what);
    return 1;
}

static int dump(bc_tflm *stream, FILE *in, FILE *out) {
    static int16_t pcm[1000];
    static uint16_t features[1001 * 40];
    uint32_t random = 1;
    for (;;) {
        random = random * 1664525u + 1013904223u;
        size_t want = (random >> 8) % 1000u + 1u, n = fread(pcm, sizeof *pcm, want, in), count;
        if (n == 0) {
            return 0;
        }
        if (bc_tflm_push(stream, pcm, n, features, 1001, &count) != BC_OK) {
            return fail("push");
        }
        if (fwrite(features, 40 * sizeof *features, count, out) != count) {
            return fail("cannot write the output");
        }
    }
}

int main(int argc, char **argv) {
    if (argc < 3) {
        return fail("usage: dump_tflm IN.s16 OUT.u16 [HOP]");
    }
    bc_tflm_config cfg;
    bc_tflm_tables tables;
    bc_tflm stream;
    if (bc_tflm_default(&cfg, 16000) != BC_OK) {
        return fail("default");
    }
    cfg.hop_length = argc > 3 ? atoi(argv[3]) : cfg.hop_length;
    if (bc_tflm_make_tables(&cfg, &tables, memory, sizeof memory) != BC_OK) {
        return fail("tables");
    }
    if (bc_tflm_init(&stream, &tables, ram, sizeof ram) != BC_OK) {
        return fail("init");
    }
    FILE *in = fopen(argv[1], "rb"), *out = fopen(argv[2], "wb");
    if (in == NULL || out == NULL) {
        return fail("cannot open the input or the output");
    }
    int failed = dump(&stream, in, out);
    fclose(in);
    return fclose(out) != 0 || failed;
}
