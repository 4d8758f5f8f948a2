/* SPDX-License-Identifier: Apache-2.0
 *
 * Which inner loops are compiled in, best first. BC_HAVE_* come from the build.
 */
#include "bc_resampler_internal.h"

bc_resampler_kernels bc_resampler_isa_at(size_t index) {
#ifdef BC_HAVE_AVX512
    if (__builtin_cpu_supports("avx512f") && index-- == 0) {
        return bc_resampler_avx512();
    }
#endif
#ifdef BC_HAVE_AVX2
    if (__builtin_cpu_supports("avx2") && index-- == 0) {
        return bc_resampler_avx2();
    }
#endif
#ifdef BC_HAVE_SSE2
    if (index-- == 0) {
        return bc_resampler_sse2();
    }
#endif
#ifdef BC_HAVE_NEON
    if (index-- == 0) {
        return bc_resampler_neon();
    }
#endif
    return index == 0 ? bc_resampler_scalar() : (bc_resampler_kernels){0};
}

const char *bc_resampler_isa_name(size_t index) { return bc_resampler_isa_at(index).name; }

bc_status bc_resampler_use_isa(bc_resampler *rs, const char *name) {
    if (rs == NULL || name == NULL) {
        return BC_NULL_POINTER;
    }
    const char *candidate;
    for (size_t i = 0; (candidate = bc_resampler_isa_name(i)) != NULL; i++) {
        if (bc_same_name(candidate, name)) {
            bc_stream_of(rs)->kernels = bc_resampler_isa_at(i);
            return BC_OK;
        }
    }
    return BC_UNKNOWN_ISA;
}
