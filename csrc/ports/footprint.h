/* SPDX-License-Identifier: Apache-2.0
 *
 * What footprint.c asks of the front-end that it measures. FOOTPRINT_PROFILE, a name, says which profile;
 * without it, log-mel 512/160/64.
 *
 * FOOTPRINT_TABLES, the name of a header that `babycry-edge export --frontend-only` wrote, puts the tables
 * into flash: it defines `frontend_tables`. Without it they are computed into RAM.
 */
#ifndef BABYCRY_PORT_FOOTPRINT_H
#define BABYCRY_PORT_FOOTPRINT_H

#include "log_mel.h"

size_t front_end_size(void); /* of its structures */
size_t front_end_ram(void);  /* what it asks for */
bc_status front_end_start(void *ram, size_t size);
bc_status front_end_push(const int16_t *pcm, size_t n, void *rows, size_t room, size_t *n_rows);
bc_status front_end_clip(const int16_t *pcm, size_t n, void *rows, size_t room, size_t *n_rows); /* room: bytes */

static inline bc_status footprint_config(bc_frontend_config *cfg) {
#ifdef FOOTPRINT_PROFILE
    return bc_frontend_profile(cfg, FOOTPRINT_PROFILE);
#else
    return log_mel_config(cfg);
#endif
}

#endif
