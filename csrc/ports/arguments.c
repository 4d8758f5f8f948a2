/* SPDX-License-Identifier: Apache-2.0 */
#include "port.h"

const char *argument(int argc, char **argv, const char *name) {
    for (int i = 1; i < argc; i++) {
        const char *text = argv[i], *wanted = name;
        if (text[0] != '-' || text[1] != '-') {
            continue;
        }
        for (text += 2; *wanted != '\0' && *text == *wanted; text++) {
            wanted++;
        }
        if (*wanted == '\0' && *text == '=') {
            return text + 1;
        }
    }
    return NULL;
}

uint32_t argument_unsigned(int argc, char **argv, const char *name, uint32_t otherwise) {
    const char *text = argument(argc, argv, name);
    if (text == NULL) {
        return otherwise;
    }
    uint32_t number = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        number = number * 10u + (uint32_t)(*text - '0');
    }
    return number;
}
