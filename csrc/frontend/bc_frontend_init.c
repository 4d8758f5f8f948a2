/* SPDX-License-Identifier: Apache-2.0 */
#include "bc_frontend_internal.h"

void bc_plan_derive(bc_plan *plan, const bc_frontend_config *cfg) {
    *plan = (bc_plan){.config = *cfg};
    plan->half = (uint16_t)(cfg->n_fft / 2);
    plan->n_stages = bc_fft_stages(plan->half, plan->radix);
    int centered = cfg->framing == BC_FRAMING_CENTER_ZERO || cfg->framing == BC_FRAMING_CENTER_REFLECT;
    int at_left = cfg->window_position == BC_WINDOW_POSITION_LEFT;
    plan->frame_length = (uint16_t)(at_left && !centered ? cfg->win_length : cfg->n_fft);
    plan->window_offset = (uint16_t)(at_left ? 0 : (cfg->n_fft - cfg->win_length) / 2);
    plan->pad = centered ? plan->half : 0;
    if (cfg->framing == BC_FRAMING_KALDI_MIRROR) {
        plan->pad = plan->frame_length / 2 - cfg->hop_length / 2;
    }
    plan->ring_size = (uint32_t)cfg->n_fft + 1u; /* a frame, and the one sample that a mirror needs more */
}

/* Hands out the working memory's places one after the other, from base (0: count only). */
static size_t lay_out(bc_plan *plan, uintptr_t base) {
    const bc_frontend_config *cfg = &plan->config;
    size_t n_fft = (size_t)cfg->n_fft, at = 0;
#define BC_PLACE(member, count)                             \
    do {                                                    \
        plan->member = (void *)(base + at);                 \
        at += (count) * sizeof *plan->member;               \
    } while (0)
    BC_PLACE(work, bc_work_size(cfg));
    BC_PLACE(frame, n_fft);
    BC_PLACE(ring, plan->ring_size);
    BC_PLACE(row, bc_raw_width(cfg));
    BC_PLACE(finished, cfg->n_mfcc != 0 ? bc_frame_width(cfg) : 0u);
    BC_PLACE(pcen, cfg->compression == BC_COMPRESSION_PCEN ? 2u * (size_t)cfg->n_mels : 0u);
    BC_PLACE(pool, cfg->pooling != BC_POOLING_NONE ? 2u * bc_frame_width(cfg) : 0u);
#undef BC_PLACE
    return at;
}

static uintptr_t aligned(const void *ram) {
    return ((uintptr_t)ram + BC_RAM_ALIGNMENT - 1u) & ~(uintptr_t)(BC_RAM_ALIGNMENT - 1u);
}

static size_t work_size(const bc_frontend_config *cfg) {
    bc_plan plan;
    bc_plan_derive(&plan, cfg);
    return lay_out(&plan, 0) + BC_RAM_ALIGNMENT - 1u;
}

/* The micro front-end: a row, and behind it, where pointers may stand, its own memory. */
static size_t tflm_offset(const bc_frontend_config *cfg) {
    return (bc_raw_width(cfg) * sizeof(float) + 15u) & ~(size_t)15u;
}

static size_t tflm_size(const bc_frontend_config *cfg) {
    return tflm_offset(cfg) + bc_tflm_part_size(cfg) + BC_RAM_ALIGNMENT - 1u;
}

static void init_tflm(bc_plan *plan, const bc_frontend_config *cfg, uintptr_t base) {
    bc_plan_derive(plan, cfg);
    plan->row = (float *)base;
    bc_use_isa(plan, bc_isa_at(0));
    bc_tflm_part_init(plan, (void *)(base + tflm_offset(cfg)));
}

size_t bc_frontend_work_size(const bc_frontend_tables *tables) {
    return tables == NULL || bc_check_axes(&tables->config) != BC_OK ||
                   tables->config.compression == BC_COMPRESSION_TFLM
               ? 0
               : work_size(&tables->config);
}

size_t bc_frontend_ram_size(const bc_frontend_config *cfg) {
    if (bc_frontend_check(cfg) != BC_OK) {
        return 0;
    }
    return cfg->compression == BC_COMPRESSION_TFLM ? tflm_size(cfg) : work_size(cfg) + bc_frontend_tables_size(cfg);
}

/* Tables written by another version of this code, or for another configuration, are refused. */
static int tables_fit(const bc_frontend_tables *t, const bc_plan *plan) {
    uint32_t n_groups = ((uint32_t)t->config.n_mels + 3u) / 4u;
    return t->n_position == plan->half && t->n_split == 2u * (plan->half / 2u + 1u) &&
           t->n_window == (uint32_t)t->config.win_length && t->n_bands == BC_BAND_GROUP * n_groups &&
           t->n_dct == (uint32_t)(t->config.n_mels * t->config.n_mfcc) &&
           (t->n_leak == 0 || t->n_leak == 2u * (plan->half + 1u));
}

bc_status bc_frontend_init_tables(bc_frontend *fe, const bc_frontend_tables *tables, void *ram,
                                  size_t ram_size) {
    if (fe == NULL || tables == NULL || ram == NULL) {
        return BC_NULL_POINTER;
    }
    bc_status status = bc_check_axes(&tables->config);
    if (status != BC_OK) {
        return status;
    }
    if (tables->config.compression == BC_COMPRESSION_TFLM) {
        return BC_BAD_TABLES; /* it has its own */
    }
    bc_plan *plan = bc_plan_of(fe);
    bc_plan_derive(plan, &tables->config);
    if (!tables_fit(tables, plan)) {
        return BC_BAD_TABLES;
    }
    if (ram_size < lay_out(plan, aligned(ram)) + BC_RAM_ALIGNMENT - 1u) {
        return BC_RAM_TOO_SMALL;
    }
    plan->position = tables->position;
    plan->twiddles = tables->twiddles;
    plan->split = tables->split;
    plan->window = tables->window;
    plan->leak = tables->n_leak != 0 ? tables->leak : NULL;
    plan->bands = tables->bands;
    plan->weights = tables->weights;
    plan->dct = tables->dct;
    plan->ref_level = tables->ref_level;
    bc_use_isa(plan, bc_isa_at(0));
    bc_pcen_start(plan, plan->pcen);
    return BC_OK;
}

bc_status bc_frontend_init(bc_frontend *fe, const bc_frontend_config *cfg, void *ram, size_t ram_size) {
    if (fe == NULL || ram == NULL) {
        return BC_NULL_POINTER;
    }
    bc_status status = bc_frontend_check(cfg);
    if (status != BC_OK) {
        return status;
    }
    if (ram_size < bc_frontend_ram_size(cfg)) {
        return BC_RAM_TOO_SMALL;
    }
    if (cfg->compression == BC_COMPRESSION_TFLM) {
        init_tflm(bc_plan_of(fe), cfg, aligned(ram));
        return BC_OK;
    }
    size_t work = work_size(cfg), tables_size = bc_frontend_tables_size(cfg); /* the tables lie behind it */
    uintptr_t behind = aligned(ram) + (work - (BC_RAM_ALIGNMENT - 1u));
    bc_frontend_tables tables;
    bc_frontend_make_tables(&tables, cfg, (void *)behind, tables_size);
    return bc_frontend_init_tables(fe, &tables, ram, work);
}
