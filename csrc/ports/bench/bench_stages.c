/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of stages. Every profile of the library is checked; those that bundled models and common ones want
 * are timed. A network's row belongs before the pipeline.
 */
#include "bench_stages.h"

#include <babycry/integer.h>

#include <stdio.h>
#include <string.h>

#include "bench_rows.h"

#define MOST_ROWS 96
#define MOST_PROFILES 24

static bench_stage rows[MOST_ROWS];
static size_t n_rows;
static char integer_names[MOST_PROFILES][48];

static void add(const bench_stage *row, const char *profile, int timed) {
    if (n_rows < MOST_ROWS) {
        rows[n_rows] = *row;
        rows[n_rows].profile = profile;
        rows[n_rows].timed = timed;
        n_rows++;
    }
}

static int is_timed(const char *profile) {
    return strcmp(profile, "babycry") == 0 || strcmp(profile, "librosa") == 0 || strcmp(profile, "yamnet") == 0;
}

static void add_float(const char *profile) {
    int timed = is_timed(profile);
    add(&bench_stage_frontend_hop, profile, timed);
    if (timed) {
        add(&bench_stage_frontend_window, profile, timed);
    }
    add(&bench_stage_frontend_clip, profile, timed);
}

static void add_integer(const char *profile, char *name, size_t room) {
    bc_frontend_config cfg;
    if (bc_frontend_profile(&cfg, profile) != BC_OK) {
        return;
    }
    cfg.normalize = BC_NORMALIZE_NONE;
    if (bc_integer_check(&cfg) == BC_OK) {
        snprintf(name, room, "%s" BENCH_INTEGER_SUFFIX, profile);
        add(&bench_stage_integer_hop, name, is_timed(profile));
        add(&bench_stage_integer_clip, name, is_timed(profile));
    }
}

const bench_stage *bench_stages(size_t *n) {
    if (n_rows == 0) {
        const char *profile;
        add(&bench_stage_capture, NULL, 1);
        add(&bench_stage_resample, NULL, 1);
        for (size_t i = 0; (profile = bc_frontend_profile_name(i)) != NULL; i++) {
            add_float(profile);
        }
        for (size_t i = 0; i < MOST_PROFILES && (profile = bc_frontend_profile_name(i)) != NULL; i++) {
            add_integer(profile, integer_names[i], sizeof integer_names[i]);
        }
        add(&bench_stage_pipeline, BENCH_PIPELINE_PROFILE, 1);
    }
    *n = n_rows;
    return rows;
}
