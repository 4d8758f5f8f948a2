/* SPDX-License-Identifier: Apache-2.0
 *
 * babycry-bench: what babycry-edge bench measures, on a Linux machine without Python. bench_options.c has its
 * options, bench_stages.c what it measures.
 */
#define _GNU_SOURCE /* sched_setaffinity */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bench_context.h"
#include "bench_data.h"
#include "bench_output.h"
#include "bench_record.h"
#include "bench_stages.h"

static int is_wanted(const bench_options *options, const bench_stage *stage) {
    if (options->stage != NULL && strcmp(stage->name, options->stage) != 0) {
        return 0;
    }
    return options->profile == NULL || (stage->profile != NULL && strcmp(stage->profile, options->profile) == 0);
}

static int stay_on_core(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((unsigned)core, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        fprintf(stderr, "babycry-bench: --core=%d: this process may not run there\n", core);
        return 0;
    }
    return 1;
}

static void list_stages(const bench_stage *stages, size_t n) {
    for (size_t i = 0; i < n; i++) {
        printf("%s%s%s%s\n", stages[i].name, stages[i].profile != NULL ? " " : "",
               stages[i].profile != NULL ? stages[i].profile : "", stages[i].timed ? "" : " (checked, not timed)");
    }
}

/* The stages that are wanted, those ready that are timed; NULL: no memory. */
static bench_timing *prepare(const bench_options *options, size_t *n) {
    size_t n_stages;
    const bench_stage *stages = bench_stages(&n_stages);
    bench_timing *timings = calloc(n_stages, sizeof *timings);
    *n = 0;
    for (size_t i = 0; timings != NULL && i < n_stages; i++) {
        if (is_wanted(options, &stages[i])) {
            bench_timing *timing = &timings[(*n)++];
            timing->context.stage = &stages[i];
            timing->context.clips = bench_clips;
            timing->context.n_clips = bench_n_clips;
            if (stages[i].timed) {
                bench_prepare(timing, options);
            }
        }
    }
    return timings;
}

static void measure(bench_results *results) {
    const bench_options *options = results->options;
    for (uint32_t round = 0; round < (options->instructions ? 1 : options->rounds); round++) {
        for (size_t i = 0; i < results->n; i++) {
            bench_timing *timing = &results->timings[i];
            if (!timing->context.stage->timed || timing->failure != NULL) {
                continue;
            }
            if (options->instructions) {
                bench_marked_calls(timing, options);
            } else {
                bench_block(timing, options);
            }
        }
    }
}

static uint64_t peak_rss_bytes(void) {
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 && usage.ru_maxrss > 0 ? 1024u * (uint64_t)usage.ru_maxrss : 0;
}

/* The number of proofs that failed, or could not be made. */
static size_t check(bench_results *results) {
    size_t wrong = 0;
    for (size_t i = 0; i < results->n; i++) {
        bench_timing *timing = &results->timings[i];
        bench_parity *parity = &results->parities[i];
        const bench_stage *stage = timing->context.stage;
        if (!stage->timed) {
            bench_prepare(timing, results->options);
        }
        if (stage->check != NULL && timing->failure == NULL) {
            timing->failure = stage->check(&timing->context, parity);
        }
        if (timing->failure != NULL) {
            parity->part = NULL;
        }
        if (timing->failure != NULL || parity->mismatches != 0) {
            fprintf(stderr, "babycry-bench: %s %s: %s\n", stage->name, stage->profile != NULL ? stage->profile : "",
                    timing->failure != NULL ? timing->failure : "other bits than there must be");
            wrong++;
        }
        bench_release(&timing->context);
    }
    return wrong;
}

static int write_calls(const bench_results *results) {
    FILE *file = fopen(results->options->calls, "w");
    for (size_t i = 0; file != NULL && i < results->n; i++) {
        const bench_timing *timing = &results->timings[i];
        const bench_stage *stage = timing->context.stage;
        for (size_t k = 0; k < timing->n; k++) {
            fprintf(file, "%s\t%s\t%s\t%.17g\t", stage->name, stage->profile != NULL ? stage->profile : "",
                    stage->model != NULL ? stage->model : "", timing->audio_s[k]);
            if (!results->options->instructions) {
                fprintf(file, "%.17g", timing->ms[k]);
            }
            fputc('\n', file);
        }
    }
    int whole = file != NULL && !ferror(file);
    if (file == NULL || fclose(file) != 0 || !whole) {
        fprintf(stderr, "babycry-bench: %s: cannot be written\n", results->options->calls);
        return 0;
    }
    return 1;
}

static int write_record(const bench_results *results) {
    bench_json json = {0};
    const char *path = results->options->json;
    int written = 0;
    bench_record(&json, results);
    if (json.failed) {
        fprintf(stderr, "babycry-bench: no memory for the record\n");
    } else if (path != NULL) {
        written = bench_output_write(path, json.text, json.size);
    } else {
        written = fwrite(json.text, 1, json.size, stdout) == json.size && fflush(stdout) == 0;
    }
    json_free(&json);
    return written;
}

static int run(const bench_options *options) {
    bench_results results = {.options = options, .before = bench_machine_now()};
    results.timings = prepare(options, &results.n);
    results.parities = calloc(results.n + 1, sizeof *results.parities);
    if (results.timings == NULL || results.parities == NULL || results.n == 0) {
        fprintf(stderr, "babycry-bench: %s\n", results.n == 0 ? "no such stage; --list shows them" : "no memory");
        free(results.timings);
        free(results.parities);
        return 2;
    }
    measure(&results);
    results.after = bench_machine_now();
    results.peak_rss_bytes = peak_rss_bytes();
    size_t wrong = check(&results);
    int written = (options->calls == NULL || write_calls(&results)) & write_record(&results);
    for (size_t i = 0; i < results.n; i++) {
        bench_forget(&results.timings[i]);
    }
    free(results.timings);
    free(results.parities);
    return wrong != 0 || !written;
}

int main(int argc, char **argv) {
    bench_options options;
    size_t n;
    if (!bench_read_options(&options, argc, argv)) {
        return 2;
    }
    if (options.helps || options.lists) {
        const bench_stage *stages = bench_stages(&n);
        if (options.helps) {
            fputs(bench_usage, stdout);
        } else {
            list_stages(stages, n);
        }
        return 0;
    }
    if (!options.instructions && bench_machine_is_foreign()) {
        fprintf(stderr, "babycry-bench: this is an emulator, whose time means nothing: --clock=instructions, or a "
                        "real board\n");
        return 2;
    }
    if ((options.core >= 0 && !stay_on_core(options.core)) ||
        (options.json != NULL && !bench_output_open(options.json))) {
        return 2;
    }
    return run(&options);
}
