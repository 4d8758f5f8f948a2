/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend_stages.h"

#include "../fnv1a.h"

static const char FRONTEND_CLIP[] = "frontend_clip", FRONTEND_HOP[] = "frontend_hop";
static const char FLOAT[] = "float", INTEGER[] = "integer";

static void add_stages(bc_frontend_work *work, const char *profile, const char *variant, uint32_t hop) {
    bc_port_stage clip = {FRONTEND_CLIP, profile, variant, 0};
    bc_port_stage one_hop = {FRONTEND_HOP, profile, variant, hop};
    if (work->n_stages + 2u <= BC_FRONTEND_MAX_STAGES) {
        work->stages[work->n_stages++] = clip;
        work->stages[work->n_stages++] = one_hop;
    }
}

unsigned bc_frontend_stages(bc_frontend_work *work) {
    bc_frontend_config cfg;
    work->n_stages = 0;
    for (size_t i = 0; bc_frontend_profile_name(i) != NULL; i++) {
        const char *profile = bc_frontend_profile_name(i);
        if (bc_frontend_profile(&cfg, profile) != BC_OK) {
            continue;
        }
        add_stages(work, profile, FLOAT, (uint32_t)cfg.hop_length);
        if (bc_integer_check(&cfg) == BC_OK) {
            add_stages(work, profile, INTEGER, (uint32_t)cfg.hop_length);
        }
    }
    return work->n_stages;
}

bc_status bc_frontend_load(bc_frontend_work *work, uint32_t offset, uint32_t total, const uint8_t *bytes, size_t size) {
    uint8_t *memory = work->memory;
    if (total > work->size) {
        return BC_RAM_TOO_SMALL;
    }
    for (size_t i = 0; i < size; i++) {
        memory[offset + i] = bytes[i];
    }
    work->n_samples = total / sizeof(int16_t);
    return BC_OK;
}

static size_t to_8(size_t size) { return (size + 7u) & ~(size_t)7u; }

/* size bytes behind those that are taken, aligned; NULL if there is no room. */
static uint8_t *take(bc_frontend_work *work, size_t *taken, size_t size) {
    size_t at = to_8(*taken);
    if (at > work->size || size > work->size - at) {
        return NULL;
    }
    *taken = at + size;
    return (uint8_t *)work->memory + at;
}

static int is_integer(const bc_frontend_work *work) { return work->stages[work->running].variant == INTEGER; }
static int is_clip(const bc_frontend_work *work) { return work->stages[work->running].stage == FRONTEND_CLIP; }

static bc_status start_float(bc_frontend_work *work, const bc_frontend_config *cfg, size_t *taken) {
    work->ram = bc_frontend_ram_size(cfg);
    void *ram = take(work, taken, work->ram);
    bc_status status = ram == NULL ? BC_RAM_TOO_SMALL : bc_frontend_init(&work->fe, cfg, ram, work->ram);
    if (status == BC_OK) {
        work->row_size = bc_frontend_n_features(&work->fe) * sizeof(float);
    }
    return status;
}

static bc_status start_integer(bc_frontend_work *work, const bc_frontend_config *cfg, size_t *taken) {
    size_t size = bc_integer_tables_size(cfg);
    void *ram = take(work, taken, size);
    bc_status status = ram == NULL ? BC_RAM_TOO_SMALL : bc_integer_make_tables(cfg, &work->tables, ram, size);
    if (status != BC_OK) {
        return status;
    }
    work->ram = size;
    size = bc_integer_ram_size(&work->tables);
    ram = take(work, taken, size);
    work->ram += size;
    status = ram == NULL ? BC_RAM_TOO_SMALL : bc_integer_init(&work->integer, &work->tables, ram, size);
    if (status == BC_OK) {
        work->row_size = bc_integer_n_features(&work->integer) * sizeof(int16_t);
    }
    return status;
}

/* How many frames the rest of the memory has room for. */
static size_t frames_that_fit(const bc_frontend_work *work, size_t taken) {
    size_t left = work->size - taken;
    if (is_integer(work)) {
        return left / work->row_size;
    }
    size_t one = bc_frontend_room(&work->fe, 1), two = bc_frontend_room(&work->fe, 2);
    size_t each = (two - one) * sizeof(float), fixed = one * sizeof(float);
    if (left < fixed) {
        return 0;
    }
    return each == 0 ? SIZE_MAX : (left - fixed) / each + 1u;
}

static bc_status start(bc_frontend_work *work) {
    bc_frontend_config cfg;
    size_t taken = work->n_samples * sizeof(int16_t);
    work->hash = FNV1A_OF_NOTHING;
    work->position = work->n_rows = work->n_rows_new = work->stack = 0;
    bc_status status = bc_frontend_profile(&cfg, work->stages[work->running].of);
    if (status == BC_OK) {
        if (!is_clip(work)) { /* windows are normalised, streams are not */
            cfg.normalize = BC_NORMALIZE_NONE;
        }
        status = is_integer(work) ? start_integer(work, &cfg, &taken) : start_float(work, &cfg, &taken);
    }
    if (status != BC_OK) {
        return status;
    }
    work->hop = (size_t)cfg.hop_length;
    work->features = take(work, &taken, 0);
    if (work->features == NULL) {
        return BC_RAM_TOO_SMALL;
    }
    work->room = frames_that_fit(work, taken);
    if (is_clip(work)) {
        size_t wanted = is_integer(work) ? bc_integer_frame_count(&work->integer, work->n_samples)
                                         : bc_frontend_frame_count(&work->fe, work->n_samples);
        return wanted > work->room ? BC_RAM_TOO_SMALL : BC_OK;
    }
    return work->n_samples < work->hop ? BC_CLIP_TOO_SHORT : BC_OK;
}

static bc_status run_clip(bc_frontend_work *work) {
    return is_integer(work) ? bc_integer_compute(&work->integer, work->memory, work->n_samples,
                                                 (int16_t *)(void *)work->features, work->room, &work->n_rows_new)
                            : bc_frontend_compute_int16(&work->fe, work->memory, work->n_samples,
                                                        (float *)(void *)work->features, work->room,
                                                        &work->n_rows_new);
}

static bc_status run_hop(bc_frontend_work *work) {
    const int16_t *pcm = (const int16_t *)work->memory + work->position;
    return is_integer(work) ? bc_integer_push(&work->integer, pcm, work->hop, (int16_t *)(void *)work->features,
                                              work->room, &work->n_rows_new)
                            : bc_frontend_push(&work->fe, pcm, work->hop, (float *)(void *)work->features,
                                               work->room, &work->n_rows_new);
}

/* The next hop; after the last whole one of the input its first again. */
static void move_on(bc_frontend_work *work) {
    work->position += work->hop;
    if (work->position + work->hop > work->n_samples) {
        work->position = 0;
    }
}

static void add_to_hash(bc_frontend_work *work) {
    work->hash = fnv1a(work->features, work->n_rows_new * work->row_size, work->hash);
    work->n_rows += work->n_rows_new;
    work->n_rows_new = 0;
}

static void after(bc_frontend_work *work) {
    if (is_clip(work)) {
        work->hash = FNV1A_OF_NOTHING;
        work->n_rows = 0;
    } else {
        move_on(work);
    }
    add_to_hash(work);
}

static bc_status flush(bc_frontend_work *work) {
    return is_integer(work) ? bc_integer_flush(&work->integer, (int16_t *)(void *)work->features, work->room,
                                               &work->n_rows_new)
                            : bc_frontend_flush(&work->fe, (float *)(void *)work->features, work->room,
                                                &work->n_rows_new);
}

static void paint_stack(const bc_frontend_work *work) {
    if (work->paint_stack != NULL) {
        work->paint_stack();
    }
}

static void read_stack(bc_frontend_work *work) {
    size_t used = work->stack_used != NULL ? work->stack_used() : 0;
    work->stack = used > work->stack ? used : work->stack;
}

/* Once more, for the stack's depth alone: the clip, or a stream until it has given a row, and its end. */
static bc_status run_for_stack(bc_frontend_work *work) {
    if (is_clip(work)) {
        return run_clip(work);
    }
    bc_status status = BC_OK;
    size_t n_rows = 0;
    for (size_t i = 0; status == BC_OK && n_rows == 0 && i < work->n_samples / work->hop; i++) {
        status = run_hop(work);
        n_rows = work->n_rows_new;
        move_on(work);
    }
    return status == BC_OK ? flush(work) : status;
}

static bc_status end(bc_frontend_work *work) {
    bc_status status = BC_OK;
    if (!is_clip(work)) {
        status = flush(work);
        add_to_hash(work);
    }
    if (status == BC_OK && work->stack_used != NULL) {
        paint_stack(work);
        status = run_for_stack(work);
        read_stack(work);
        work->n_rows_new = 0;
    }
    return status;
}

bc_status bc_frontend_infer(bc_frontend_work *work, unsigned stage, bc_port_step step) {
    bc_status status;
    switch (step) {
    case BC_PORT_START:
        work->running = stage;
        paint_stack(work);
        status = start(work);
        read_stack(work);
        return status;
    case BC_PORT_RUN:
        return is_clip(work) ? run_clip(work) : run_hop(work);
    case BC_PORT_AFTER:
        after(work);
        return BC_OK;
    default:
        return end(work);
    }
}

int bc_frontend_results(const bc_frontend_work *work, unsigned index, bc_port_result *result) {
    const bc_port_result all[] = {
        {"hash", work->hash, 1}, {"rows", work->n_rows, 0}, {"ram", work->ram, 0}, {"stack", work->stack, 0}};
    unsigned count = work->stack_used != NULL ? 4u : 3u;
    if (index >= count) {
        return 0;
    }
    *result = all[index];
    return 1;
}
