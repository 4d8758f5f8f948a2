/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin for qemu's user mode, on the host: instructions between marks. The guest marks a place by a
 * system call that it has no other use for, whose number is given as "mark=NUMBER"; at each one a line
 * "mark COUNT", of all instructions so far, goes to qemu's log (-d plugin -D FILE). Whole blocks are
 * counted as they begin, which makes interpreters and large libraries bearable; no symbols.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
typedef void tb_callback(qemu_plugin_id_t id, struct qemu_plugin_tb *block);
typedef void exec_callback(unsigned cpu, void *data);
typedef void syscall_callback(qemu_plugin_id_t id, unsigned cpu, int64_t number, uint64_t a1, uint64_t a2,
                              uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_callback *callback);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block, exec_callback *callback, int registers,
                                          void *data);
void qemu_plugin_register_vcpu_syscall_cb(qemu_plugin_id_t id, syscall_callback *callback);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
void qemu_plugin_outs(const char *text);

EXPORT extern int qemu_plugin_version;
int qemu_plugin_version = 1; /* since qemu 5; plugins built against later ones say 2 and more */

static atomic_uint_fast64_t executed; /* by all threads */
static int64_t mark = -1;

static void on_block(unsigned cpu, void *data) {
    (void)cpu;
    atomic_fetch_add_explicit(&executed, (uintptr_t)data, memory_order_relaxed);
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
    (void)id;
    const int no_registers = 0;
    const uintptr_t length = qemu_plugin_tb_n_insns(block);
    qemu_plugin_register_vcpu_tb_exec_cb(block, on_block, no_registers, (void *)length);
}

static void on_syscall(qemu_plugin_id_t id, unsigned cpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3,
                       uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8) {
    (void)id, (void)cpu, (void)a1, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
    if (number == mark) {
        char line[64];
        snprintf(line, sizeof line, "mark %" PRIuFAST64 "\n", atomic_load(&executed));
        qemu_plugin_outs(line);
    }
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *information, int argc, char **argv);
int qemu_plugin_install(qemu_plugin_id_t id, const void *information, int argc, char **argv) {
    (void)information;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "mark=", 5) == 0) {
            mark = strtoll(argv[i] + 5, NULL, 10);
        }
    }
    if (mark < 0) {
        fprintf(stderr, "count_marked: give the number of a system call as mark=NUMBER\n");
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_vcpu_syscall_cb(id, on_syscall);
    return 0;
}
