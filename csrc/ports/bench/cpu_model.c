/* SPDX-License-Identifier: Apache-2.0
 *
 * What __builtin_cpu_supports reads on x86-64, for a compiler whose run-time library lacks it (zig): of the
 * features that the library asks for, those that processor and system both have. The places are those of the
 * ABI that gcc and clang share.
 */
#include <cpuid.h>
#include <stdint.h>

enum { SSE2 = 4, AVX2 = 10, AVX512F = 15 };
enum { STATE_AVX = 0x6, STATE_AVX512 = 0xe6 }; /* registers that the system keeps, of XCR0 */

struct cpu_model {
    unsigned vendor, type, subtype, features[1];
};
struct cpu_model __cpu_model;
int __cpu_indicator_init(void);

static unsigned kept_state(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

__attribute__((constructor)) int __cpu_indicator_init(void) {
    unsigned a, b, c, d, features = 1u << SSE2;
    if (__get_cpuid(1, &a, &b, &c, &d) && (c & bit_OSXSAVE) != 0) {
        unsigned kept = kept_state();
        if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
            features |= (b & bit_AVX2) != 0 && (kept & STATE_AVX) == STATE_AVX ? 1u << AVX2 : 0u;
            features |= (b & bit_AVX512F) != 0 && (kept & STATE_AVX512) == STATE_AVX512 ? 1u << AVX512F : 0u;
        }
    }
    __cpu_model.features[0] = features;
    return 0;
}
