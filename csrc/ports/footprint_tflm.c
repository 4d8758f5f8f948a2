/* SPDX-License-Identifier: Apache-2.0
 *
 * The integer micro front-end as firmware has it: tables in flash only.
 */
#include <babycry/tflm.h>

#include "footprint.h"
#include "frontend_tables.h"

static bc_tflm stream;

size_t front_end_size(void) { return sizeof stream; }

size_t front_end_macro(void) { return FRONTEND_TABLES_RAM_SIZE; }

size_t front_end_ram(void) { return bc_tflm_ram_size(&frontend_tables); }

bc_status front_end_start(void *ram, size_t size) { return bc_tflm_init(&stream, &frontend_tables, ram, size); }

bc_status front_end_push(const int16_t *pcm, size_t n, void *rows, size_t room, size_t *n_rows) {
    return bc_tflm_push(&stream, pcm, n, rows, room / sizeof(uint16_t) / frontend_tables.n_channels, n_rows);
}

bc_status front_end_clip(const int16_t *pcm, size_t n, void *rows, size_t room, size_t *n_rows) {
    return front_end_push(pcm, n, rows, room, n_rows);
}
