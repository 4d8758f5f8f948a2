/* SPDX-License-Identifier: Apache-2.0
 *
 * The hooks of a firmware whose stages are the front-ends alone; bc_bench.work is a bc_frontend_work.
 */
#include "frontend_stages.h"

bc_status bc_port_load(void *work, uint32_t offset, uint32_t total, const uint8_t *bytes, size_t size) {
    return bc_frontend_load(work, offset, total, bytes, size);
}

bc_status bc_port_infer(void *work, unsigned stage, bc_port_step step) { return bc_frontend_infer(work, stage, step); }

int bc_port_results(void *work, unsigned index, bc_port_result *result) {
    return bc_frontend_results(work, index, result);
}
