/* SPDX-License-Identifier: Apache-2.0
 *
 * A stream: samples fill the first stage's line, and every stage runs as far as its line goes.
 */
#include "bc_resampler_internal.h"

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* Outputs of the rational stage when it was given n samples. */
static uint64_t rational_count(const bc_ratio *ratio, uint64_t n) {
    if (ratio->n_taps == 0) {
        return n;
    }
    uint32_t half = ratio->n_taps / 2u;
    return n > half ? ((n - half) * ratio->up + ratio->down - 1u) / ratio->down : 0;
}

/* Outputs that are complete when the stream has n samples. */
static uint64_t complete(const bc_stream *stream, uint64_t n) {
    if (stream->direction == BC_DOWN) {
        uint64_t pairs = rational_count(&stream->ratio, n) / 2u;
        return pairs >= BC_SHARP ? pairs - BC_SHARP + 1u : 0;
    }
    if (stream->direction == BC_UP) {
        return rational_count(&stream->ratio, n > BC_SHARP ? 2u * (n - BC_SHARP) : 0);
    }
    return n;
}

static uint64_t whole_length(uint64_t in_rate, uint64_t out_rate, uint64_t n) {
    uint64_t seconds = n / in_rate; /* apart, so that nothing overflows */
    return seconds * out_rate + ((n - seconds * in_rate) * out_rate + in_rate - 1u) / in_rate;
}

/* Moves what is still needed to the front; how many samples then fit. */
static size_t make_room(bc_line *line) {
    uint32_t kept = line->filled > line->at ? line->filled - line->at : 0;
    if (kept != 0 && line->at != 0) {
        __builtin_memmove(line->data, line->data + line->at, kept * sizeof *line->data);
    }
    line->at -= line->filled - kept;
    line->filled = kept;
    return line->size - kept;
}

/* How often a window of n samples fits from where the line is. */
static size_t windows(const bc_line *line, uint32_t n) {
    return line->filled >= line->at + n ? line->filled - line->at - n + 1u : 0;
}

/* How many outputs the rational stage can compute now. */
static size_t rational_ready(const bc_stream *stream) {
    size_t steps = windows(&stream->wide, stream->ratio.n_taps);
    if (steps == 0) {
        return 0;
    }
    const bc_ratio *ratio = &stream->ratio;
    return (size_t)(((uint64_t)steps * ratio->up - stream->phase + ratio->down - 1u) / ratio->down);
}

static size_t run_rational(bc_stream *stream, float *out, size_t limit) {
    size_t count = smaller(rational_ready(stream), limit);
    stream->kernels.rational(stream->tables.phases, &stream->ratio, stream->wide.data, &stream->wide.at,
                              &stream->phase, out, count);
    return count;
}

/* Whole pairs go to the lines of even and of odd samples; a single one waits. How many went. */
static size_t split_pairs(bc_stream *stream) {
    bc_line *pairs = &stream->pairs, *even = &stream->even, *odd = &stream->odd;
    size_t room = make_room(even);
    make_room(odd); /* the same: the two lines go in step */
    size_t count = smaller((pairs->filled - pairs->at) / 2u, room);
    const float *from = pairs->data + pairs->at;
    for (size_t i = 0; i < count; i++) {
        even->data[even->filled + i] = from[2u * i];
        odd->data[odd->filled + i] = from[2u * i + 1u];
    }
    even->filled += (uint32_t)count;
    odd->filled += (uint32_t)count;
    pairs->at += (uint32_t)count * 2u;
    return count;
}

/* The sharp stage waits for a block of outputs, except at the end of what was pushed. */
static size_t sharp_ready(const bc_line *line, int last) {
    size_t count = windows(line, 2u * BC_SHARP);
    return count >= BC_BLOCK || last ? count : 0;
}

static size_t run_halving(bc_stream *stream, int last, float *out, size_t limit) {
    bc_line *even = &stream->even, *odd = &stream->odd;
    size_t count = smaller(sharp_ready(even, last), limit);
    stream->kernels.halve(stream->tables.sharp, even->data + even->at, odd->data + odd->at, out, count);
    even->at += (uint32_t)count;
    odd->at += (uint32_t)count;
    return count;
}

static size_t run_down(bc_stream *stream, int last, float *out, size_t limit) {
    bc_line *pairs = &stream->pairs;
    size_t done = 0, moved, count;
    do {
        if (stream->ratio.n_taps != 0) {
            size_t room = make_room(pairs);
            pairs->filled += (uint32_t)run_rational(stream, pairs->data + pairs->filled, room);
        }
        moved = split_pairs(stream);
        count = run_halving(stream, last && moved == 0, out + done, limit - done);
        done += count;
    } while (moved + count != 0);
    return done;
}

static size_t run_doubling(bc_stream *stream, int last, float *out, size_t limit) {
    bc_line *in = &stream->even;
    size_t count = smaller(sharp_ready(in, last), limit / 2u);
    stream->kernels.twice(stream->tables.sharp, in->data + in->at, out, count);
    in->at += (uint32_t)count;
    return 2u * count;
}

static size_t run_up(bc_stream *stream, int last, float *out, size_t limit) {
    if (stream->ratio.n_taps == 0) {
        return run_doubling(stream, last, out, limit);
    }
    bc_line *wide = &stream->wide;
    size_t done = 0, moved, count;
    do {
        size_t room = make_room(wide);
        moved = run_doubling(stream, last, wide->data + wide->filled, room);
        wide->filled += (uint32_t)moved;
        count = run_rational(stream, out + done, limit - done);
        done += count;
    } while (moved + count != 0);
    return done;
}

static float not_tiny(float x) { return x < BC_TINY && x > -BC_TINY ? 0.0f : x; }

static void take(float *to, const int16_t *s16, const float *f32, size_t n) {
    for (size_t i = 0; i < n; i++) {
        to[i] = s16 != NULL ? (float)s16[i] * BC_INT16_SCALE : f32 != NULL ? not_tiny(f32[i]) : 0.0f;
    }
}

/* n samples in, or silence where both pointers are NULL; at most limit samples out. */
static size_t pass(bc_stream *stream, const int16_t *s16, const float *f32, size_t n, float *out, size_t limit) {
    if (stream->direction == BC_SAME_RATE) {
        take(out, s16, f32, smaller(n, limit));
        return smaller(n, limit);
    }
    int down = stream->direction == BC_DOWN;
    bc_line *line = !down ? &stream->even : stream->ratio.n_taps != 0 ? &stream->wide : &stream->pairs;
    size_t done = 0;
    while (n != 0) {
        size_t count = smaller(make_room(line), n);
        take(line->data + line->filled, s16, f32, count);
        line->filled += (uint32_t)count;
        s16 = s16 != NULL ? s16 + count : NULL;
        f32 = f32 != NULL ? f32 + count : NULL;
        n -= count;
        int last = n == 0;
        done += down ? run_down(stream, last, out + done, limit - done) : run_up(stream, last, out + done, limit - done);
    }
    return done;
}

static bc_status push(bc_resampler *rs, const int16_t *s16, const float *f32, size_t n, float *out,
                      size_t max_out, size_t *n_out) {
    if (rs == NULL || (s16 == NULL && f32 == NULL && n != 0) || n_out == NULL) {
        return BC_NULL_POINTER;
    }
    bc_stream *stream = bc_stream_of(rs);
    size_t count = bc_resampler_push_count(rs, n);
    if (count > max_out || (count != 0 && out == NULL)) {
        return BC_OUTPUT_TOO_SMALL;
    }
    if (f32 != NULL && !bc_samples_are_finite(f32, n)) {
        return BC_SAMPLE_NOT_FINITE;
    }
    pass(stream, s16, f32, n, out, count);
    stream->n_in += n;
    stream->n_out += count;
    *n_out = count;
    return BC_OK;
}

bc_status bc_resampler_push(bc_resampler *rs, const int16_t *pcm, size_t n_in, float *out, size_t max_out,
                            size_t *n_out) {
    return push(rs, pcm, NULL, n_in, out, max_out, n_out);
}

bc_status bc_resampler_push_float(bc_resampler *rs, const float *pcm, size_t n_in, float *out, size_t max_out,
                                  size_t *n_out) {
    return push(rs, NULL, pcm, n_in, out, max_out, n_out);
}

size_t bc_resampler_length(int32_t in_rate, int32_t out_rate, size_t n_in) {
    if (bc_resampler_check(in_rate, out_rate) != BC_OK) {
        return 0;
    }
    return (size_t)whole_length((uint64_t)in_rate, (uint64_t)out_rate, n_in);
}

size_t bc_resampler_push_count(const bc_resampler *rs, size_t n_in) {
    if (rs == NULL) {
        return 0;
    }
    const bc_stream *stream = bc_const_stream_of(rs);
    return (size_t)(complete(stream, stream->n_in + n_in) - stream->n_out);
}

size_t bc_resampler_flush_count(const bc_resampler *rs) {
    if (rs == NULL) {
        return 0;
    }
    const bc_stream *stream = bc_const_stream_of(rs);
    uint64_t in_rate = (uint64_t)stream->tables.in_rate, out_rate = (uint64_t)stream->tables.out_rate;
    return (size_t)(whole_length(in_rate, out_rate, stream->n_in) - stream->n_out);
}

bc_status bc_resampler_flush(bc_resampler *rs, float *out, size_t max_out, size_t *n_out) {
    if (rs == NULL || n_out == NULL) {
        return BC_NULL_POINTER;
    }
    size_t count = bc_resampler_flush_count(rs), done = 0;
    if (count > max_out || (count != 0 && out == NULL)) {
        return BC_OUTPUT_TOO_SMALL;
    }
    bc_stream *stream = bc_stream_of(rs);
    while (done < count) {
        done += pass(stream, NULL, NULL, BC_BLOCK, out + done, count - done);
    }
    bc_stream_restart(stream);
    *n_out = count;
    return BC_OK;
}
