/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_data.h"

#include <string.h>

void bench_compare(bench_parity *parity, const char *clip, uint64_t hash, const char *remark) {
    size_t i = 0;
    while (i < bench_n_hashes &&
           (strcmp(bench_hashes[i].name, parity->name) != 0 || strcmp(bench_hashes[i].clip, clip) != 0)) {
        i++;
    }
    if (i == bench_n_hashes || bench_hashes[i].hash != hash) {
        bench_mismatch(parity, clip, remark);
    }
}
