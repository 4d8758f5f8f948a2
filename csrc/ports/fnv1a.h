/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BABYCRY_PORT_FNV1A_H
#define BABYCRY_PORT_FNV1A_H

#include <stddef.h>
#include <stdint.h>

#define FNV1A_OF_NOTHING 0xcbf29ce484222325u

/* The 64-bit FNV-1a hash of bytes that follow those of hash. */
static inline uint64_t fnv1a(const void *bytes, size_t size, uint64_t hash) {
    const uint8_t *byte = bytes;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ byte[i]) * 0x100000001b3u;
    }
    return hash;
}

#endif
