/* SPDX-License-Identifier: Apache-2.0 */
#include "bc_resampler_internal.h"

static void derive(bc_stream *stream, int32_t in_rate, int32_t out_rate) {
    *stream = (bc_stream){.direction = bc_direction_of(in_rate, out_rate),
                          .ratio = bc_rational_stage(in_rate, out_rate)};
    uint32_t n_taps = stream->ratio.n_taps;
    if (stream->direction == BC_SAME_RATE) {
        return;
    }
    stream->wide.size = n_taps == 0 ? 0 : n_taps + 2u * BC_BLOCK;
    stream->pairs.size = 2u * BC_BLOCK;
    stream->even.size = 2u * BC_SHARP + BC_BLOCK;
    stream->odd.size = stream->direction == BC_DOWN ? stream->even.size : 0;
    if (stream->direction == BC_UP) {
        stream->pairs.size = n_taps == 0 ? 0 : stream->pairs.size;
    }
}

static size_t ram_of(const bc_stream *stream) {
    size_t n = (size_t)stream->wide.size + stream->even.size + stream->odd.size + stream->pairs.size;
    return n == 0 ? 0 : n * sizeof(float) + sizeof(float) - 1u;
}

/* Before its first sample a stream was silent. */
static void start(bc_line *line, uint32_t n_zeros) {
    for (uint32_t i = 0; i < n_zeros; i++) {
        line->data[i] = 0.0f;
    }
    line->filled = n_zeros;
    line->at = 0;
}

void bc_stream_restart(bc_stream *stream) {
    stream->phase = 0;
    stream->n_in = 0;
    stream->n_out = 0;
    start(&stream->wide, stream->ratio.n_taps == 0 ? 0 : stream->ratio.n_taps / 2u - 1u);
    start(&stream->pairs, 0);
    start(&stream->even, stream->direction == BC_DOWN ? BC_SHARP : stream->direction == BC_UP ? BC_SHARP - 1u : 0);
    start(&stream->odd, stream->direction == BC_DOWN ? BC_SHARP : 0);
}

size_t bc_resampler_ram_size(int32_t in_rate, int32_t out_rate) {
    if (bc_resampler_check(in_rate, out_rate) != BC_OK) {
        return 0;
    }
    bc_stream stream;
    derive(&stream, in_rate, out_rate);
    return ram_of(&stream);
}

static bc_status check_tables(const bc_resampler_tables *tables) {
    bc_status status = bc_resampler_check(tables->in_rate, tables->out_rate);
    if (status != BC_OK || tables->in_rate == tables->out_rate) {
        return status;
    }
    bc_ratio ratio = bc_rational_stage(tables->in_rate, tables->out_rate);
    if (tables->n_sharp != 2u * BC_SHARP || tables->n_phases != bc_phases_count(&ratio)) {
        return BC_BAD_TABLES;
    }
    return tables->sharp == NULL || (tables->n_phases != 0 && tables->phases == NULL) ? BC_NULL_POINTER : BC_OK;
}

bc_status bc_resampler_init(bc_resampler *rs, const bc_resampler_tables *tables, void *ram, size_t ram_size) {
    if (rs == NULL || tables == NULL) {
        return BC_NULL_POINTER;
    }
    bc_status status = check_tables(tables);
    if (status != BC_OK) {
        return status;
    }
    bc_stream *stream = bc_stream_of(rs);
    derive(stream, tables->in_rate, tables->out_rate);
    if (ram_size < ram_of(stream)) {
        return BC_RAM_TOO_SMALL;
    }
    if (ram == NULL && ram_of(stream) != 0) {
        return BC_NULL_POINTER;
    }
    float *next = (float *)(((uintptr_t)ram + sizeof(float) - 1u) & ~(uintptr_t)(sizeof(float) - 1u));
    bc_line *lines[] = {&stream->wide, &stream->even, &stream->odd, &stream->pairs};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        lines[i]->data = next;
        next += lines[i]->size;
    }
    stream->tables = *tables;
    stream->kernels = bc_resampler_isa_at(0);
    bc_stream_restart(stream);
    return BC_OK;
}
