/* SPDX-License-Identifier: Apache-2.0
 *
 * The clips' samples, one after the other, as the file BENCH_PCM_FILE holds them: int16, little-endian.
 */
__asm__(".section .rodata\n"
        ".balign 4\n"
        ".globl bench_pcm\n"
        "bench_pcm:\n"
        ".incbin \"" BENCH_PCM_FILE "\"\n"
        ".balign 4\n"
        ".text\n");

typedef int bench_pcm_c_is_not_empty;
