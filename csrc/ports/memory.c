/* SPDX-License-Identifier: Apache-2.0
 *
 * The four functions that a compiler may call in freestanding code. With them and the compiler's own
 * helper library the programs here link without any C library.
 */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);

typedef uint32_t __attribute__((may_alias)) word;

void *memcpy(void *restrict to, const void *restrict from, size_t size) {
    unsigned char *d = to;
    const unsigned char *s = from;
    if ((((uintptr_t)d | (uintptr_t)s) & 3u) == 0) {
        for (; size >= 4; size -= 4, d += 4, s += 4) {
            *(word *)(void *)d = *(const word *)(const void *)s;
        }
    }
    while (size-- != 0) {
        *d++ = *s++;
    }
    return to;
}

void *memmove(void *to, const void *from, size_t size) {
    unsigned char *d = to;
    const unsigned char *s = from;
    if ((uintptr_t)d <= (uintptr_t)s) {
        return memcpy(to, from, size);
    }
    while (size-- != 0) {
        d[size] = s[size];
    }
    return to;
}

void *memset(void *to, int value, size_t size) {
    unsigned char *d = to;
    word filled = (unsigned char)value * 0x01010101u;
    for (; ((uintptr_t)d & 3u) != 0 && size != 0; size--) {
        *d++ = (unsigned char)value;
    }
    for (; size >= 4; size -= 4, d += 4) {
        *(word *)(void *)d = filled;
    }
    while (size-- != 0) {
        *d++ = (unsigned char)value;
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t size) {
    const unsigned char *x = a, *y = b;
    for (size_t i = 0; i < size; i++) {
        if (x[i] != y[i]) {
            return x[i] < y[i] ? -1 : 1;
        }
    }
    return 0;
}
