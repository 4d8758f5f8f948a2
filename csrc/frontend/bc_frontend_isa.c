/* SPDX-License-Identifier: Apache-2.0
 *
 * Which kernels are compiled in, best first. BC_HAVE_* come from the build, one for each compilation of
 * bc_frame.c and bc_frames.c; the scalar one is always there.
 */
#include "bc_frontend_internal.h"

static const bc_isa candidates[] = {
#ifdef BC_HAVE_AVX512
    {"avx512", 16, bc_frames_avx512, bc_frame_avx512, bc_from_int16_avx512},
#endif
#ifdef BC_HAVE_AVX2
    {"avx2", 8, bc_frames_avx2, bc_frame_avx2, bc_from_int16_avx2},
#endif
#ifdef BC_HAVE_SSE2
    {"sse2", 4, bc_frames_sse2, bc_frame_sse2, bc_from_int16_sse2},
#endif
#ifdef BC_HAVE_NEON
    {"neon", 4, bc_frames_neon, bc_frame_neon, bc_from_int16_neon},
#endif
#ifdef BC_HAVE_MVE
    {"mve", 4, NULL, bc_frame_mve, bc_from_int16_mve},
#endif
    {"scalar", 1, NULL, bc_frame_scalar, bc_from_int16_scalar},
};

static int present(size_t candidate) {
#ifdef BC_HAVE_AVX512
    if (candidates[candidate].frame == bc_frame_avx512) {
        return __builtin_cpu_supports("avx512f");
    }
#endif
#ifdef BC_HAVE_AVX2
    if (candidates[candidate].frame == bc_frame_avx2) {
        return __builtin_cpu_supports("avx2");
    }
#endif
    (void)candidate;
    return 1;
}

/* Whether the FFT has columns and rows enough for the lanes of bc_frame.c: the first stages, up to a multiple
 * of the lanes, leave a multiple of the lanes. */
static int fills_lanes(const bc_plan *plan, size_t lanes) {
    size_t span = 1;
    for (uint8_t s = 0; s < plan->n_stages; s++) {
        if (plan->radix[s] != 4 && !(s == 0 && plan->radix[s] == 2)) {
            return lanes == 1;
        }
        span *= span < lanes ? plan->radix[s] : 1u;
    }
    return plan->half / span % lanes == 0;
}

void bc_use_isa(bc_plan *plan, const bc_isa *isa) {
    plan->isa = isa;
    const bc_isa *last = &candidates[sizeof candidates / sizeof candidates[0] - 1u];
    while (isa != last && !fills_lanes(plan, isa->lanes)) {
        isa++; /* those after it have fewer lanes, and whoever has the first has them too */
    }
    plan->frame_kernel = isa->frame;
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
            bc_use_isa(bc_plan_of(fe), isa);
            return BC_OK;
        }
    }
    return BC_UNKNOWN_ISA;
}
