/* SPDX-License-Identifier: Apache-2.0 */
#include <babycry/tables.h>

#include "footprint.h"

static bc_frontend fe;

size_t front_end_size(void) { return sizeof fe; }

#ifdef FOOTPRINT_TABLES

#include FOOTPRINT_TABLES

size_t front_end_ram(void) { return bc_frontend_work_size(&frontend_tables); }

bc_status front_end_start(void *ram, size_t size) {
    return bc_frontend_init_tables(&fe, &frontend_tables, ram, size);
}

#else

size_t front_end_ram(void) {
    bc_frontend_config cfg;
    return footprint_config(&cfg) == BC_OK ? bc_frontend_ram_size(&cfg) : 0;
}

bc_status front_end_start(void *ram, size_t size) {
    bc_frontend_config cfg;
    bc_status status = footprint_config(&cfg);
    return status != BC_OK ? status : bc_frontend_init(&fe, &cfg, ram, size);
}

#endif

static size_t max_frames(size_t room) { return room / sizeof(float) / bc_frontend_room(&fe, 1); }

bc_status front_end_push(const int16_t *pcm, size_t n, void *rows, size_t room, size_t *n_rows) {
    return bc_frontend_push(&fe, pcm, n, rows, max_frames(room), n_rows);
}

bc_status front_end_clip(const int16_t *pcm, size_t n, void *rows, size_t room, size_t *n_rows) {
    return bc_frontend_compute_int16(&fe, pcm, n, rows, max_frames(room), n_rows);
}
