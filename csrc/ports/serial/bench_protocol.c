/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_protocol.h"

#include <babycry/version.h>

#define ANSWER_ROOM 480u /* characters of a line's list of values */
#define SEQ_DIGITS 4u
#define CRC_DIGITS 8u
#define LEAST_FRAME (SEQ_DIGITS + 1u + 1u + 1u + CRC_DIGITS) /* SEQ BODY CRC, without the mark */

/* ---- CRC-32 (reflected, 0xedb88320), four bits at a time ---- */

static uint32_t crc_step(uint32_t crc, char byte) {
    static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
                                       0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                       0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    crc ^= (uint8_t)byte;
    crc = (crc >> 4) ^ table[crc & 15u];
    return (crc >> 4) ^ table[crc & 15u];
}

/* ---- The answer: printed piece by piece, its CRC kept in bench->checked ---- */

static void put(bc_bench *bench, const char *text) {
    for (const char *at = text; *at != '\0'; at++) {
        bench->checked = crc_step(bench->checked, *at);
    }
    bc_port_print(text);
}

static size_t digits_of(uint64_t number, unsigned base, unsigned least, char text[24]) {
    size_t at = 23, count = 0;
    text[at] = '\0';
    for (; number != 0 || count < least; count++) {
        text[--at] = "0123456789abcdef"[number % base];
        number /= base;
    }
    for (size_t i = 0; i <= count; i++) {
        text[i] = text[at + i];
    }
    return count;
}

static void put_number(bc_bench *bench, uint64_t number) {
    char text[24];
    digits_of(number, 10, 1, text);
    put(bench, text);
}

static void put_hex(bc_bench *bench, uint32_t number, unsigned digits) {
    char text[24];
    digits_of(number, 16, digits, text);
    put(bench, text);
}

static void begin_answer(bc_bench *bench, uint32_t sequence) {
    bc_port_print("<");
    bench->checked = ~0u;
    put_hex(bench, sequence, SEQ_DIGITS);
    put(bench, " ");
    put_hex(bench, bench->session, CRC_DIGITS);
    put(bench, " ");
}

static void end_answer(bc_bench *bench) {
    char text[24];
    digits_of(~bench->checked, 16, CRC_DIGITS, text);
    bc_port_print(" ");
    bc_port_print(text);
    bc_port_print("\n");
}

static void answer(bc_bench *bench, const char *body) {
    begin_answer(bench, bench->sequence);
    put(bench, body);
    end_answer(bench);
}

static void begin_ok(bc_bench *bench) {
    begin_answer(bench, bench->sequence);
    put(bench, "ok");
}

static void put_field(bc_bench *bench, uint64_t number) {
    put(bench, " ");
    put_number(bench, number);
}

static void answer_ok(bc_bench *bench, uint64_t number) {
    begin_ok(bench);
    put_field(bench, number);
    end_answer(bench);
}

static void answer_status(bc_bench *bench, bc_status status) {
    begin_answer(bench, bench->sequence);
    put(bench, "error status ");
    put_number(bench, (uint64_t)status);
    put(bench, " ");
    put(bench, bc_status_string(status));
    end_answer(bench);
}

/* ---- The question: text, read from a cursor ---- */

typedef struct cursor {
    const char *at, *end;
} cursor;

static int digit_of(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One blank, then digits up to the next blank or the end; 0 if there are none, or the number is too large. */
static int take_number(cursor *text, unsigned base, uint32_t *number) {
    uint64_t sum = 0;
    if (text->at == text->end || *text->at != ' ') {
        return 0;
    }
    const char *first = ++text->at;
    for (; text->at < text->end && *text->at != ' '; text->at++) {
        int digit = digit_of(*text->at);
        if (digit < 0 || (unsigned)digit >= base) {
            return 0;
        }
        sum = sum * base + (unsigned)digit;
        if (sum > UINT32_MAX) {
            return 0;
        }
    }
    *number = (uint32_t)sum;
    return text->at != first;
}

static int take_last_number(cursor *text, uint32_t *number) {
    return take_number(text, 10, number) && text->at == text->end;
}

static int is_word(cursor *text, const char *word) {
    const char *at = text->at;
    for (; *word != '\0'; word++, at++) {
        if (at == text->end || *at != *word) {
            return 0;
        }
    }
    if (at != text->end && *at != ' ') {
        return 0;
    }
    text->at = at;
    return 1;
}

/* ---- The commands ---- */

static void hello(bc_bench *bench, cursor text) {
    uint32_t token;
    if (!take_number(&text, 16, &token) || text.at != text.end || token == 0) {
        answer(bench, "error number");
        return;
    }
    static const char *const clocks[] = {"cycles", "wall", "instructions"};
    bc_port_instant now = bc_port_time();
    bench->session = token;
    bench->loaded = bench->total = bench->n_values = 0;
    bench->answered = 0;
    begin_ok(bench);
    put_field(bench, BC_BENCH_PROTOCOL);
    put_field(bench, bench->line_size);
    put_field(bench, bench->max_runs);
    put_field(bench, bench->n_stages);
    put_field(bench, bench->n_facts + 1u);
    put(bench, " ");
    put(bench, clocks[now.clock]);
    put_field(bench, now.hz);
    end_answer(bench);
}

static void fact(bc_bench *bench, cursor text) {
    uint32_t index;
    if (!take_last_number(&text, &index) || index > bench->n_facts) {
        answer(bench, "error number");
        return;
    }
    begin_ok(bench);
    put(bench, " ");
    put(bench, index == 0 ? "library " BC_VERSION : bench->facts[index - 1u]);
    end_answer(bench);
}

static void stage(bc_bench *bench, cursor text) {
    uint32_t index;
    if (!take_last_number(&text, &index) || index >= bench->n_stages) {
        answer(bench, "error stage");
        return;
    }
    const bc_port_stage *one = &bench->stages[index];
    begin_ok(bench);
    put(bench, " ");
    put(bench, one->stage);
    put_field(bench, one->samples);
    put(bench, " ");
    put(bench, one->variant);
    put(bench, " ");
    put(bench, one->of);
    end_answer(bench);
}

/* The line's hexadecimal digits become bytes in its own place. */
static void load(bc_bench *bench, cursor text) {
    uint32_t total, offset;
    if (!take_number(&text, 10, &total) || !take_number(&text, 10, &offset) || text.at == text.end) {
        answer(bench, "error number");
        return;
    }
    const char *digits = text.at + 1;
    size_t n_digits = (size_t)(text.end - digits), size = n_digits / 2u;
    if (n_digits == 0 || n_digits % 2u != 0 || offset > total || size > total - offset) {
        answer(bench, "error line");
        return;
    }
    if (offset != 0 && (total != bench->total || offset > bench->loaded)) {
        answer(bench, "error gap");
        return;
    }
    uint8_t *bytes = (uint8_t *)bench->line;
    for (size_t i = 0; i < size; i++) {
        int high = digit_of(digits[2u * i]), low = digit_of(digits[2u * i + 1u]);
        if (high < 0 || low < 0) {
            answer(bench, "error line");
            return;
        }
        bytes[i] = (uint8_t)(high * 16 + low);
    }
    bc_status status = bc_port_load(bench->work, offset, total, bytes, size);
    if (status != BC_OK) {
        bench->total = bench->loaded = 0;
        answer_status(bench, status);
        return;
    }
    bench->total = total;
    if (offset == 0 || offset + size > bench->loaded) {
        bench->loaded = (uint32_t)(offset + size);
    }
    answer_ok(bench, bench->loaded);
}

/* What reading the counter itself costs: the least of a few times. */
static uint64_t cost_of_time(void) {
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < 4; i++) {
        uint64_t before = bc_port_time().count, after = bc_port_time().count;
        least = after - before < least ? after - before : least;
    }
    return least;
}

static bc_status timed_run(bc_bench *bench, unsigned index, uint64_t cost, uint64_t *value) {
    uint64_t before = bc_port_time().count;
    bc_status status = bc_port_infer(bench->work, index, BC_PORT_RUN);
    uint64_t after = bc_port_time().count;
    *value = after - before > cost ? after - before - cost : 0;
    bc_port_print(".");
    return status == BC_OK ? bc_port_infer(bench->work, index, BC_PORT_AFTER) : status;
}

static bc_status run_stage(bc_bench *bench, unsigned index, uint32_t n_warmup, uint32_t n_runs) {
    uint64_t cost = cost_of_time(), dropped;
    bench->n_values = 0;
    bc_port_print(".");
    bc_status status = bc_port_infer(bench->work, index, BC_PORT_START);
    for (uint32_t i = 0; status == BC_OK && i < n_warmup; i++) {
        status = timed_run(bench, index, cost, &dropped);
    }
    for (uint32_t i = 0; status == BC_OK && i < n_runs; i++) {
        status = timed_run(bench, index, cost, &bench->values[i]);
    }
    status = status == BC_OK ? bc_port_infer(bench->work, index, BC_PORT_END) : status;
    bench->n_values = status == BC_OK ? n_runs : 0;
    return status;
}

static void run(bc_bench *bench, cursor text) {
    uint32_t index, n_warmup, n_runs;
    int again = bench->answered && bench->run_sequence == bench->sequence && bench->run_crc == bench->crc;
    if (!take_number(&text, 10, &index) || !take_number(&text, 10, &n_warmup) ||
        !take_last_number(&text, &n_runs)) {
        answer(bench, "error number");
        return;
    }
    if (index >= bench->n_stages) {
        answer(bench, "error stage");
        return;
    }
    if (n_runs == 0 || n_runs > bench->max_runs) {
        answer(bench, "error runs");
        return;
    }
    if (bench->loaded != bench->total) {
        answer(bench, "error input");
        return;
    }
    if (!again) {
        bench->run_status = run_stage(bench, index, n_warmup, n_runs);
        bench->run_sequence = bench->sequence;
        bench->run_crc = bench->crc;
        bench->answered = 1;
    }
    if (bench->run_status == BC_OK) {
        answer_ok(bench, n_runs);
    } else {
        answer_status(bench, bench->run_status);
    }
}

static void values(bc_bench *bench, cursor text) {
    uint32_t first, most, count = 0;
    char digits[24];
    if (!take_number(&text, 10, &first) || !take_last_number(&text, &most) || first > bench->n_values) {
        answer(bench, "error number");
        return;
    }
    for (size_t room = ANSWER_ROOM; count < most && first + count < bench->n_values; count++) {
        size_t size = digits_of(bench->values[first + count], 10, 1, digits) + 1u;
        if (size > room) {
            break;
        }
        room -= size;
    }
    begin_ok(bench);
    put_field(bench, count);
    for (uint32_t i = 0; i < count; i++) {
        put_field(bench, bench->values[first + i]);
    }
    end_answer(bench);
}

static size_t text_length(const char *text) {
    size_t length = 0;
    while (text[length] != '\0') {
        length++;
    }
    return length;
}

static size_t result_digits(const bc_port_result *result, char text[24]) {
    return digits_of(result->value, result->is_hash ? 16 : 10, result->is_hash ? 16 : 1, text);
}

static void results(bc_bench *bench, cursor text) {
    uint32_t first, most, count = 0;
    bc_port_result result;
    char digits[24];
    if (!take_number(&text, 10, &first) || !take_last_number(&text, &most)) {
        answer(bench, "error number");
        return;
    }
    for (size_t room = ANSWER_ROOM; count < most && bc_port_results(bench->work, first + count, &result); count++) {
        size_t size = text_length(result.name) + 2u + result_digits(&result, digits);
        if (size > room) {
            break;
        }
        room -= size;
    }
    begin_ok(bench);
    put_field(bench, count);
    for (uint32_t i = 0; i < count && bc_port_results(bench->work, first + i, &result); i++) {
        result_digits(&result, digits);
        put(bench, " ");
        put(bench, result.name);
        put(bench, "=");
        put(bench, digits);
    }
    end_answer(bench);
}

static void obey(bc_bench *bench, cursor text) {
    static const struct {
        const char *word;
        void (*command)(bc_bench *, cursor);
    } commands[] = {{"fact", fact}, {"stage", stage}, {"load", load}, {"run", run}, {"values", values},
                    {"results", results}};
    if (is_word(&text, "hello")) {
        hello(bench, text);
        return;
    }
    if (bench->session == 0) {
        answer(bench, "error hello");
        return;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (is_word(&text, commands[i].word)) {
            commands[i].command(bench, text);
            return;
        }
    }
    answer(bench, "error command");
}

/* ---- The line ---- */

static int is_frame(bc_bench *bench, cursor *body) {
    const char *line = bench->line;
    uint32_t crc = ~0u, said = 0, sequence = 0;
    if (bench->overflow || bench->used < LEAST_FRAME + 1u || line[0] != '>') {
        return 0;
    }
    const char *blank = line + bench->used - CRC_DIGITS - 1u;
    for (const char *at = line + 1; at < blank; at++) {
        crc = crc_step(crc, *at);
    }
    for (size_t i = 0; i < CRC_DIGITS; i++) {
        int digit = digit_of(blank[1u + i]);
        if (digit < 0) {
            return 0;
        }
        said = said << 4 | (uint32_t)digit;
    }
    for (size_t i = 0; i < SEQ_DIGITS; i++) {
        int digit = digit_of(line[1u + i]);
        if (digit < 0) {
            return 0;
        }
        sequence = sequence << 4 | (uint32_t)digit;
    }
    if (said != ~crc || *blank != ' ' || line[1u + SEQ_DIGITS] != ' ') {
        return 0;
    }
    bench->sequence = sequence;
    bench->crc = said;
    body->at = line + SEQ_DIGITS + 2u;
    body->end = blank;
    return 1;
}

static void end_of_line(bc_bench *bench) {
    cursor body;
    if (bench->used == 0 && !bench->overflow) {
        return;
    }
    if (is_frame(bench, &body)) {
        obey(bench, body);
    } else {
        begin_answer(bench, 0);
        put(bench, "again");
        end_answer(bench);
    }
    bench->used = 0;
    bench->overflow = 0;
}

bc_status bc_bench_begin(bc_bench *bench) {
    if (bench->stages == NULL || bench->line == NULL || bench->values == NULL ||
        (bench->facts == NULL && bench->n_facts != 0)) {
        return BC_NULL_POINTER;
    }
    if (bench->line_size < BC_BENCH_LEAST_LINE || bench->max_runs == 0) {
        return BC_RAM_TOO_SMALL;
    }
    bench->used = 0;
    bench->overflow = bench->answered = 0;
    bench->session = bench->loaded = bench->total = bench->n_values = 0;
    bc_port_print("\n");
    begin_answer(bench, 0);
    put(bench, "ready");
    end_answer(bench);
    return BC_OK;
}

void bc_bench_byte(bc_bench *bench, char byte) {
    if (byte == '\n') {
        end_of_line(bench);
        return;
    }
    if (byte == '>') { /* a line begins, whatever became of the end of the one before */
        bench->used = 0;
        bench->overflow = 0;
    }
    if (byte == '\r') {
        return;
    }
    if (bench->used < bench->line_size) {
        bench->line[bench->used++] = byte;
    } else {
        bench->overflow = 1;
    }
}

bc_status bc_bench_serve(bc_bench *bench) {
    bc_status status = bc_bench_begin(bench);
    while (status == BC_OK) {
        int byte = bc_port_getchar();
        if (byte >= 0) {
            bc_bench_byte(bench, (char)byte);
        }
    }
    return status;
}
