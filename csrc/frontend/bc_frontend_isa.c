/* SPDX-License-Identifier: Apache-2.0
 *
 * Which kernels are compiled in, best first. BC_HAVE_* come from the build, one for each compilation of
 * bc_frames.c; the scalar one is always there.
 */
#include "bc_frontend_internal.h"

static int present(size_t candidate);

static const bc_isa candidates[] = {
#ifdef BC_HAVE_AVX512
    {"avx512", bc_frames_avx512},
#endif
#ifdef BC_HAVE_AVX2
    {"avx2", bc_frames_avx2},
#endif
#ifdef BC_HAVE_SSE2
    {"sse2", bc_frames_sse2},
#endif
#ifdef BC_HAVE_NEON
    {"neon", bc_frames_neon},
#endif
    {"scalar", bc_frames_scalar},
};

static int present(size_t candidate) {
#if defined(BC_HAVE_AVX512) || defined(BC_HAVE_AVX2)
    bc_kernel *kernel = candidates[candidate].kernel;
#ifdef BC_HAVE_AVX512
    if (kernel == bc_frames_avx512) {
        return __builtin_cpu_supports("avx512f");
    }
#endif
#ifdef BC_HAVE_AVX2
    if (kernel == bc_frames_avx2) {
        return __builtin_cpu_supports("avx2");
    }
#endif
#endif
    (void)candidate;
    return 1;
}

const bc_isa *bc_isa_at(size_t index) {
    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++) {
        if (present(i) && index-- == 0) {
            return &candidates[i];
        }
    }
    return NULL;
}

const char *bc_frontend_isa_name(size_t index) {
    const bc_isa *isa = bc_isa_at(index);
    return isa != NULL ? isa->name : NULL;
}

bc_status bc_frontend_use_isa(bc_frontend *fe, const char *name) {
    if (fe == NULL || name == NULL) {
        return BC_NULL_POINTER;
    }
    const bc_isa *isa;
    for (size_t i = 0; (isa = bc_isa_at(i)) != NULL; i++) {
        if (bc_same_name(isa->name, name)) {
            bc_plan_of(fe)->kernel = isa->kernel;
            return BC_OK;
        }
    }
    return BC_UNKNOWN_ISA;
}
