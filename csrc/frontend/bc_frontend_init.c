/* SPDX-License-Identifier: Apache-2.0 */
#include "bc_frontend_internal.h"

static void derive(bc_plan *plan, const bc_frontend_config *cfg) {
    *plan = (bc_plan){.config = *cfg};
    plan->half = (uint16_t)(cfg->n_fft / 2);
    plan->n_stages = bc_fft_stages(plan->half, plan->radix);
    int centered = cfg->framing != BC_FRAMING_LEFT;
    plan->pad = centered ? plan->half : 0;
    int at_left = cfg->window_position == BC_WINDOW_POSITION_LEFT;
    plan->frame_length = (uint16_t)(at_left && !centered ? cfg->win_length : cfg->n_fft);
    plan->window_offset = (uint16_t)(at_left ? 0 : (cfg->n_fft - cfg->win_length) / 2);
    plan->ring_size = (uint32_t)cfg->n_fft + 1u; /* a frame, and the one sample that a mirror needs more */
}

/* Hands out the tables' places one after the other, from base (NULL: count only). */
static size_t lay_out(bc_plan *plan, uintptr_t base) {
    size_t n_fft = (size_t)plan->config.n_fft, at = 0;
    size_t n_weights = bc_mel_bands(&plan->config, NULL, NULL);
#define BC_PLACE(member, count)                                      \
    do {                                                             \
        plan->member = (void *)(base + at);                          \
        at += ((count) * sizeof *plan->member + 3u) & ~(size_t)3u;   \
    } while (0)
    BC_PLACE(work, bc_work_size(&plan->config));
    BC_PLACE(ring, plan->ring_size);
    BC_PLACE(twiddles, 2u * bc_fft_twiddle_count(plan));
    BC_PLACE(split, 2u * (plan->half / 2u + 1u));
    BC_PLACE(window, (size_t)plan->config.win_length);
    BC_PLACE(leak, bc_window_leaks(plan) ? n_fft : 0u);
    BC_PLACE(weights, n_weights);
    BC_PLACE(bands, (size_t)plan->config.n_mels);
    BC_PLACE(position, plan->half);
#undef BC_PLACE
    return at;
}

size_t bc_frontend_ram_size(const bc_frontend_config *cfg) {
    if (bc_frontend_check(cfg) != BC_OK) {
        return 0;
    }
    bc_plan plan;
    derive(&plan, cfg);
    return lay_out(&plan, 0) + BC_RAM_ALIGNMENT - 1u;
}

bc_status bc_frontend_init(bc_frontend *fe, const bc_frontend_config *cfg, void *ram, size_t ram_size) {
    if (fe == NULL || ram == NULL) {
        return BC_NULL_POINTER;
    }
    bc_status status = bc_frontend_check(cfg);
    if (status != BC_OK) {
        return status;
    }
    bc_plan *plan = bc_plan_of(fe);
    derive(plan, cfg);
    uintptr_t base = ((uintptr_t)ram + BC_RAM_ALIGNMENT - 1u) & ~(uintptr_t)(BC_RAM_ALIGNMENT - 1u);
    if (ram_size < lay_out(plan, base) + BC_RAM_ALIGNMENT - 1u) {
        return BC_RAM_TOO_SMALL;
    }
    bc_fft_tables(plan);
    bc_window_table(plan);
    bc_leak_table(plan);
    bc_mel_bands(cfg, plan->bands, plan->weights);
    plan->kernel = bc_isa_at(0)->kernel;
    plan->frame_kernel = bc_frames_scalar;
    if (cfg->compression == BC_COMPRESSION_DB && cfg->ref > 0.0f) {
        float reference = cfg->ref > cfg->amin ? cfg->ref : cfg->amin;
        plan->ref_level = (float)(10.0 * bc_log((double)reference) / bc_log(10.0));
    }
    return BC_OK;
}
