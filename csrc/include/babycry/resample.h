/* SPDX-License-Identifier: Apache-2.0
 *
 * Sample rate conversion by any rational ratio, the same bits on every target and for any way of
 * cutting the stream into pieces. Linear phase without delay: output 0 lies at the time of input 0,
 * and n inputs give ceil(n * out_rate / in_rate) outputs. The pass-band reaches to 0.91 of the lower
 * Nyquist frequency; what lies above that frequency comes out below -100 dB. The caller owns all
 * memory: the tables, which are never written to again (flash will do, and streams share them), and
 * the RAM of each stream.
 */
#ifndef BABYCRY_RESAMPLE_H
#define BABYCRY_RESAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include <babycry/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The filters of one pair of rates. n_x is the number of elements at x. */
typedef struct bc_resampler_tables {
    int32_t in_rate;  /* Hz, 1000 to 384000 */
    int32_t out_rate; /* Hz, 1000 to 384000 */
    const float *sharp; /* one half of the filter of the factor 2 */
    size_t n_sharp;
    const float *phases; /* half of the phases of the rational stage; none for ratios 1/2, 1 and 2 */
    size_t n_phases;
} bc_resampler_tables;

typedef struct bc_resampler {
    uint64_t opaque[32];
} bc_resampler;

/* BC_OK, or the status that names the rate at fault. */
bc_status bc_resampler_check(int32_t in_rate, int32_t out_rate);

/* Bytes that bc_resampler_make_tables and bc_resampler_init want: exact; 0 if a rate is at fault. */
size_t bc_resampler_tables_size(int32_t in_rate, int32_t out_rate);
size_t bc_resampler_ram_size(int32_t in_rate, int32_t out_rate);

/* Computes the tables into memory (any alignment) and points tables there. */
bc_status bc_resampler_make_tables(bc_resampler_tables *tables, int32_t in_rate, int32_t out_rate,
                                   void *memory, size_t memory_size);

/* Makes rs ready for a stream. The arrays that tables points to and ram (any alignment) stay in use
 * until the caller drops rs. */
bc_status bc_resampler_init(bc_resampler *rs, const bc_resampler_tables *tables, void *ram, size_t ram_size);

/* Samples that a whole clip of n_in samples gives. */
size_t bc_resampler_length(int32_t in_rate, int32_t out_rate, size_t n_in);

/* Samples that pushing n_in now would give, and those that flushing would give. */
size_t bc_resampler_push_count(const bc_resampler *rs, size_t n_in);
size_t bc_resampler_flush_count(const bc_resampler *rs);

/* Takes n_in samples, int16 or float with 1.0 as full scale; gives those outputs that are complete.
 * max_out is the room in out, which must not overlap pcm. On a status other than BC_OK nothing was
 * taken. Samples below 2^-60 count as 0. */
bc_status bc_resampler_push(bc_resampler *rs, const int16_t *pcm, size_t n_in, float *out, size_t max_out,
                            size_t *n_out);
bc_status bc_resampler_push_float(bc_resampler *rs, const float *pcm, size_t n_in, float *out,
                                  size_t max_out, size_t *n_out);

/* Ends the stream: the outputs that reach past its end; then rs is ready for a new one. */
bc_status bc_resampler_flush(bc_resampler *rs, float *out, size_t max_out, size_t *n_out);

/* Instruction sets, best first, NULL past the last. All give the same bits. */
const char *bc_resampler_isa_name(size_t index);
bc_status bc_resampler_use_isa(bc_resampler *rs, const char *name);

#ifdef __cplusplus
}
#endif

#endif
