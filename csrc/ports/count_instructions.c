/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin for qemu (TCG), on the host: counts the guest's instructions, in total and per symbol of its
 * ELF file. At the end one line each, "total COUNT" and "SYMBOL COUNT", goes to qemu's log
 * (-d plugin -D FILE). An instruction counts when it is executed, also where an exception ends its block.
 * With mark=SYMBOL (-plugin ./FILE.so,mark=SYMBOL) a line "mark COUNT" says how many instructions had been
 * executed whenever SYMBOL was entered; it must be a function without branches.
 * The plugin interface is declared here, as it stands in qemu's qemu-plugin.h, which Debian does not ship.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define MAX_SYMBOLS 4096
#define MAX_NAME 63 /* of a symbol; what follows is ignored */

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void tb_callback(qemu_plugin_id_t id, struct qemu_plugin_tb *block);
typedef void exec_callback(unsigned cpu, void *data);
typedef void exit_callback(qemu_plugin_id_t id, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_callback *callback);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *instruction, exec_callback *callback,
                                            int registers, void *data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, exit_callback *callback, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
const char *qemu_plugin_insn_symbol(const struct qemu_plugin_insn *instruction);
void qemu_plugin_outs(const char *text);

EXPORT extern int qemu_plugin_version;
int qemu_plugin_version = 1; /* since qemu 5; plugins built against later ones say 2 and more */

typedef struct counter {
    char symbol[MAX_NAME + 1];
    uint64_t count;
} counter;

static counter counters[MAX_SYMBOLS];
static size_t n_counters;
static char mark[MAX_NAME + 1];

static counter *counter_of(const char *symbol) {
    if (symbol == NULL) {
        symbol = "(no symbol)";
    }
    for (size_t i = 0; i < n_counters; i++) {
        if (strncmp(counters[i].symbol, symbol, MAX_NAME) == 0) {
            return &counters[i];
        }
    }
    if (n_counters == MAX_SYMBOLS) {
        return &counters[MAX_SYMBOLS - 1]; /* the total stays right */
    }
    snprintf(counters[n_counters].symbol, MAX_NAME + 1, "%s", symbol);
    return &counters[n_counters++];
}

static void executed(unsigned cpu, void *data) {
    (void)cpu;
    ((counter *)data)->count++;
}

static uint64_t total(void) {
    uint64_t sum = 0;
    for (size_t i = 0; i < n_counters; i++) {
        sum += counters[i].count;
    }
    return sum;
}

static void marked(unsigned cpu, void *data) {
    char line[32];
    (void)cpu;
    (void)data;
    snprintf(line, sizeof line, "mark %" PRIu64 "\n", total());
    qemu_plugin_outs(line);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
    (void)id;
    const int no_registers = 0;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); i++) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, i);
        const char *symbol = i == 0 && mark[0] != '\0' ? qemu_plugin_insn_symbol(instruction) : NULL;
        if (symbol != NULL && strcmp(symbol, mark) == 0) {
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, marked, no_registers, NULL);
        }
        qemu_plugin_register_vcpu_insn_exec_cb(instruction, executed, no_registers,
                                               counter_of(qemu_plugin_insn_symbol(instruction)));
    }
}

static void report(qemu_plugin_id_t id, void *data) {
    (void)id;
    (void)data;
    char line[128];
    for (size_t i = 0; i < n_counters; i++) {
        snprintf(line, sizeof line, "%.63s %" PRIu64 "\n", counters[i].symbol, counters[i].count);
        qemu_plugin_outs(line);
    }
    snprintf(line, sizeof line, "total %" PRIu64 "\n", total());
    qemu_plugin_outs(line);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *information, int argc, char **argv);
int qemu_plugin_install(qemu_plugin_id_t id, const void *information, int argc, char **argv) {
    (void)information;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "mark=", 5) == 0) {
            snprintf(mark, sizeof mark, "%s", argv[i] + 5);
        }
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, report, NULL);
    return 0;
}
