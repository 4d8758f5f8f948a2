/* SPDX-License-Identifier: Apache-2.0
 *
 * serial_bench: the firmware that `babycry-edge bench --port` talks to, on an emulated Arm board; see CMakeLists.txt
 * for the board's words. A real board's main does the same with its own start-up code.
 */
#include "../port.h"
#include "bench_protocol.h"
#include "frontend_stages.h"

#define MAX_RUNS 256u

static bc_frontend_work work;
static char line[BC_BENCH_LINE];
static uint64_t values[MAX_RUNS];
static bc_bench bench;

#if defined(__ARM_FEATURE_MVE)
#define KERNELS "mve"
#else
#define KERNELS "scalar"
#endif
static const char *const facts[] = {"board " BOARD, "cpu " BOARD_CPU, ("compiler gcc " __VERSION__),
                                    "instruction_set " KERNELS};

static void paint_stack(void) {
    __asm__ volatile("cpsid i");
    port_paint_stack();
}

static size_t stack_used(void) {
    __asm__ volatile("cpsie i");
    return port_stack_used();
}

int program(int argc, char **argv) {
    (void)argc;
    (void)argv;
    work.memory = port_memory(&work.size);
    work.paint_stack = paint_stack;
    work.stack_used = stack_used;
    bench.n_stages = bc_frontend_stages(&work);
    bench.stages = work.stages;
    bench.facts = facts;
    bench.n_facts = sizeof facts / sizeof facts[0];
    bench.work = &work;
    bench.line = line;
    bench.line_size = sizeof line;
    bench.values = values;
    bench.max_runs = MAX_RUNS;
    return (int)bc_bench_serve(&bench);
}
