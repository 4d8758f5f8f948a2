/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON, written into memory that grows. Commas come by themselves. Keys and, with a NULL key, elements.
 */
#ifndef BABYCRY_BENCH_JSON_H
#define BABYCRY_BENCH_JSON_H

#include <stddef.h>
#include <stdint.h>

typedef struct bench_json {
    char *text; /* size bytes, no zero at their end */
    size_t size, room;
    int wants_comma;
    int failed; /* no memory: the text is not whole */
} bench_json;

void json_open(bench_json *json, const char *key, char bracket); /* '{' or '[' */
void json_close(bench_json *json, char bracket);                 /* '}' or ']' */
void json_string(bench_json *json, const char *key, const char *text); /* NULL: null; bytes that are no UTF-8: ? */
void json_number(bench_json *json, const char *key, double number);    /* not finite: null */
void json_count(bench_json *json, const char *key, uint64_t number);
void json_null(bench_json *json, const char *key);
void json_bool(bench_json *json, const char *key, int truth);
void json_raw(bench_json *json, const char *key, const char *value); /* JSON already */
void json_end(bench_json *json); /* the last line's end */
void json_free(bench_json *json);

#endif
