/* SPDX-License-Identifier: Apache-2.0 */
#include <babycry/integer.h>

#include "footprint.h"

static bc_integer fe;

#ifdef FOOTPRINT_TABLES

#include FOOTPRINT_TABLES

size_t front_end_size(void) { return sizeof fe; }

size_t front_end_ram(void) { return bc_integer_ram_size(&frontend_tables); }

bc_status front_end_start(void *ram, size_t size) { return bc_integer_init(&fe, &frontend_tables, ram, size); }

#else

static bc_integer_tables tables;

size_t front_end_size(void) { return sizeof fe + sizeof tables; }

/* The tables first, then the working memory. */
size_t front_end_ram(void) {
    bc_frontend_config cfg;
    if (footprint_config(&cfg) != BC_OK || bc_integer_check(&cfg) != BC_OK) {
        return 0;
    }
    return bc_integer_tables_size(&cfg) +
           BC_INTEGER_RAM_SIZE((size_t)cfg.n_fft, (size_t)cfg.n_mels, (size_t)cfg.n_mfcc);
}

bc_status front_end_start(void *ram, size_t size) {
    bc_frontend_config cfg;
    bc_status status = footprint_config(&cfg);
    size_t tables_size = bc_integer_tables_size(&cfg);
    if (status != BC_OK) {
        return status;
    }
    status = bc_integer_make_tables(&cfg, &tables, ram, tables_size);
    return status != BC_OK ? status
                           : bc_integer_init(&fe, &tables, (uint8_t *)ram + tables_size, size - tables_size);
}

#endif

bc_status front_end_push(const int16_t *pcm, size_t n, void *rows, size_t room, size_t *n_rows) {
    return bc_integer_push(&fe, pcm, n, rows, room / sizeof(int16_t) / bc_integer_n_features(&fe), n_rows);
}

bc_status front_end_clip(const int16_t *pcm, size_t n, void *rows, size_t room, size_t *n_rows) {
    return bc_integer_compute(&fe, pcm, n, rows, room / sizeof(int16_t) / bc_integer_n_features(&fe), n_rows);
}
