/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef BENCH_TARGET
#define BENCH_TARGET "this machine"
#endif

const char bench_usage[] =
    "babycry-bench [OPTION...]: measures the front-end here and checks its bits; prints a record of\n"
    "babycry-edge bench. Ends with 0; 1: something has other bits than it must, or no record could be\n"
    "written; 2: an option is wrong.\n"
    "  --json=FILE           the record into FILE, whole or not at all (default: standard output)\n"
    "  --target=NAME         what reports call this machine (default: " BENCH_TARGET ")\n"
    "  --quick               every check, but fewer repetitions of the timings\n"
    "  --core=N              stay on core N\n"
    "  --stage=NAME          this stage alone; --profile=NAME the same for front-ends\n"
    "  --rounds=N --block-ms=N --min-calls=N --max-calls=N --warmup=N\n"
    "                        rounds of blocks; a block is so long and has so many calls\n"
    "  --clock=wall          or instructions: no clock is read, an emulator counts between marks\n"
    "  --calls=FILE          a line for each counted call: stage, profile, model, audio in s, ms\n"
    "  --list                shows the stages\n";

typedef struct number_option {
    const char *name;
    uint32_t *value;
    uint32_t least, most;
} number_option;

/* The text after "--NAME="; NULL if the argument is another. */
static const char *value_of(const char *argument, const char *name) {
    size_t length = strlen(name);
    int is_it = strncmp(argument, "--", 2) == 0 && strncmp(argument + 2, name, length) == 0;
    return is_it && argument[2 + length] == '=' ? argument + 3 + length : NULL;
}

static int read_number(const number_option *option, const char *text) {
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (errno != 0 || text[0] < '0' || text[0] > '9' || *end != '\0' || number < option->least ||
        number > option->most) {
        fprintf(stderr, "babycry-bench: --%s=%s: a number from %u to %u\n", option->name, text,
                (unsigned)option->least, (unsigned)option->most);
        return 0;
    }
    *option->value = (uint32_t)number;
    return 1;
}

static int read_text(bench_options *options, const char *argument, int *failed) {
    const char *value;
    struct {
        const char *name;
        const char **value;
    } texts[] = {{"json", &options->json},
                 {"calls", &options->calls},
                 {"target", &options->target},
                 {"stage", &options->stage},
                 {"profile", &options->profile}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if ((value = value_of(argument, texts[i].name)) != NULL) {
            *texts[i].value = value;
            if (value[0] == '\0') {
                fprintf(stderr, "babycry-bench: %s: something must follow\n", argument);
                *failed = 1;
            }
            return 1;
        }
    }
    return 0;
}

static int read_flag(bench_options *options, const char *argument) {
    if (strcmp(argument, "--quick") == 0) {
        options->rounds = 3;
        options->block_ms = 50;
        options->min_calls = 7;
    } else if (strcmp(argument, "--list") == 0) {
        options->lists = 1;
    } else if (strcmp(argument, "--help") == 0) {
        options->helps = 1;
    } else if (strcmp(argument, "--clock=instructions") == 0) {
        options->instructions = 1;
    } else if (strcmp(argument, "--clock=wall") == 0) {
        options->instructions = 0;
    } else {
        return 0;
    }
    return 1;
}

int bench_read_options(bench_options *options, int argc, char **argv) {
    uint32_t core = UINT32_MAX;
    *options = (bench_options){.target = BENCH_TARGET, .rounds = 8, .block_ms = 200, .min_calls = 8,
                               .max_calls = 500, .warmup = 2};
    const number_option numbers[] = {
        {"rounds", &options->rounds, 1, 1000},          {"block-ms", &options->block_ms, 1, 60000},
        {"min-calls", &options->min_calls, 1, 1000000}, {"max-calls", &options->max_calls, 1, 1000000},
        {"warmup", &options->warmup, 0, 1000000},       {"core", &core, 0, 1023},
    };
    for (int i = 1; i < argc; i++) {
        int failed = 0, known = read_flag(options, argv[i]) || read_text(options, argv[i], &failed);
        for (size_t k = 0; !known && k < sizeof numbers / sizeof numbers[0]; k++) {
            const char *value = value_of(argv[i], numbers[k].name);
            if (value != NULL) {
                known = 1;
                failed = !read_number(&numbers[k], value);
            }
        }
        if (!known) {
            fprintf(stderr, "babycry-bench: %s: no such option; --help shows them\n", argv[i]);
        }
        if (failed || !known) {
            return 0;
        }
    }
    if (options->max_calls < options->min_calls) {
        options->max_calls = options->min_calls;
    }
    options->core = core == UINT32_MAX ? -1 : (int)core;
    return 1;
}
