/* SPDX-License-Identifier: Apache-2.0
 *
 * integer_hash [--samples=N] FILE...: as feature_hash, for the integer front-end: each profile that it
 * takes and log-mel 512/160/64, int16 rows, streamed as the samples are read. A profile that does not fit
 * the RAM is left out.
 */
#include <babycry/integer.h>

#include "fnv1a.h"
#include "log_mel.h"
#include "port.h"

#define PIECE 160u /* samples */

static bc_integer_tables tables;
static bc_integer fe;
static int16_t pcm[PIECE];

static int hash_file(const char *profile, const char *file, size_t n_samples, int16_t *rows, size_t max_rows) {
    if (!port_open(file)) {
        return 1;
    }
    uint64_t hash = FNV1A_OF_NOTHING;
    size_t got, n_rows, row = bc_integer_n_features(&fe) * sizeof *rows;
    bc_status status = BC_OK;
    do {
        size_t wanted = n_samples < PIECE ? n_samples : PIECE;
        got = port_read(pcm, wanted * sizeof *pcm) / sizeof *pcm;
        n_samples -= got;
        status = bc_integer_push(&fe, pcm, got, rows, max_rows, &n_rows);
        hash = status == BC_OK ? fnv1a(rows, n_rows * row, hash) : hash;
    } while (status == BC_OK && got == PIECE);
    if (status == BC_OK) {
        status = bc_integer_flush(&fe, rows, max_rows, &n_rows);
        hash = status == BC_OK ? fnv1a(rows, n_rows * row, hash) : hash;
    }
    const char *words[] = {file, " ", profile, " ", status == BC_OK ? "" : bc_status_string(status)};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        port_write(words[i]);
    }
    print_hex(hash);
    port_write("\n");
    return status != BC_OK;
}

static int hash_profile(const char *profile, const bc_frontend_config *cfg, int argc, char **argv) {
    size_t left;
    uint8_t *memory = port_memory(&left);
    if (bc_integer_check(cfg) != BC_OK) {
        return 0;
    }
    size_t size = (bc_integer_tables_size(cfg) + 7u) & ~(size_t)7u;
    if (size > left || bc_integer_make_tables(cfg, &tables, memory, size) != BC_OK) {
        return 0;
    }
    memory += size;
    left -= size;
    size = (bc_integer_ram_size(&tables) + 7u) & ~(size_t)7u;
    if (size > left || bc_integer_init(&fe, &tables, memory, size) != BC_OK) {
        return 0;
    }
    size_t row = bc_integer_n_features(&fe) * sizeof(int16_t), max_rows = (left - size) / row;
    uint32_t n_samples = argument_unsigned(argc, argv, "samples", UINT32_MAX);
    int failed = 0;
    for (int i = 1; i < argc && max_rows != 0; i++) {
        failed |= argv[i][0] != '-' &&
                  hash_file(profile, argv[i], n_samples, (int16_t *)(void *)(memory + size), max_rows);
    }
    return failed;
}

int program(int argc, char **argv) {
    bc_frontend_config cfg;
    int failed = log_mel_config(&cfg) != BC_OK || hash_profile("log-mel", &cfg, argc, argv);
    for (size_t i = 0; bc_frontend_profile_name(i) != NULL; i++) {
        const char *profile = bc_frontend_profile_name(i);
        failed |= bc_frontend_profile(&cfg, profile) != BC_OK || hash_profile(profile, &cfg, argc, argv);
    }
    return failed;
}
