/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(bench_json *json, const char *bytes, size_t size) {
    if (json->size + size > json->room) {
        size_t room = 2 * (json->size + size) + 4096;
        char *text = realloc(json->text, room);
        if (text == NULL) {
            json->failed = 1;
            return;
        }
        json->text = text;
        json->room = room;
    }
    memcpy(json->text + json->size, bytes, size);
    json->size += size;
}

static void put_text(bench_json *json, const char *text) { put(json, text, strlen(text)); }

/* Bytes of the UTF-8 character at text, 0 if it is none (overlong forms and surrogates included). */
static size_t character_size(const unsigned char *text) {
    unsigned first = text[0];
    size_t size = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    int wrong = (first == 0xe0 && text[1] < 0xa0) || (first == 0xed && text[1] > 0x9f) ||
                (first == 0xf0 && text[1] < 0x90) || (first == 0xf4 && text[1] > 0x8f);
    return wrong ? 0 : size;
}

static void put_quoted(bench_json *json, const char *text) {
    put(json, "\"", 1);
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0';) {
        size_t size = character_size(at);
        if (size == 0) {
            put(json, "?", 1);
        } else if (*at == '"' || *at == '\\') {
            char escaped[2] = {'\\', (char)*at};
            put(json, escaped, 2);
        } else if (*at < 0x20) {
            char escaped[8];
            snprintf(escaped, sizeof escaped, "\\u%04x", *at);
            put_text(json, escaped);
        } else {
            put(json, (const char *)at, size);
        }
        at += size == 0 ? 1 : size;
    }
    put(json, "\"", 1);
}

static void begin(bench_json *json, const char *key) {
    if (json->wants_comma) {
        put(json, ",", 1);
    }
    if (key != NULL) {
        if (json->size != 0) {
            put(json, "\n", 1);
        }
        put_quoted(json, key);
        put(json, ": ", 2);
    } else if (json->wants_comma) {
        put(json, " ", 1);
    }
    json->wants_comma = 1;
}

void json_open(bench_json *json, const char *key, char bracket) {
    begin(json, key);
    put(json, &bracket, 1);
    json->wants_comma = 0;
}

void json_close(bench_json *json, char bracket) {
    put(json, &bracket, 1);
    json->wants_comma = 1;
}

void json_string(bench_json *json, const char *key, const char *text) {
    if (text == NULL) {
        json_null(json, key);
        return;
    }
    begin(json, key);
    put_quoted(json, text);
}

void json_number(bench_json *json, const char *key, double number) {
    char text[40];
    if (!isfinite(number)) {
        json_null(json, key);
        return;
    }
    snprintf(text, sizeof text, "%.17g", number);
    json_raw(json, key, text);
}

void json_count(bench_json *json, const char *key, uint64_t number) {
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    json_raw(json, key, text);
}

void json_null(bench_json *json, const char *key) { json_raw(json, key, "null"); }

void json_bool(bench_json *json, const char *key, int truth) { json_raw(json, key, truth ? "true" : "false"); }

void json_raw(bench_json *json, const char *key, const char *value) {
    begin(json, key);
    put_text(json, value);
}

void json_end(bench_json *json) { put(json, "\n", 1); }

void json_free(bench_json *json) {
    free(json->text);
    memset(json, 0, sizeof *json);
}
