/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_record.h"

#include <babycry/frontend.h>
#include <babycry/version.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

#include "../fnv1a.h"
#include "bench_data.h"
#include "bench_rows.h"
#include "bench_statistics.h"

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif
#ifndef BENCH_FLAGS
#define BENCH_FLAGS ""
#endif

static void record_build(bench_json *json) {
    const char *isa;
    json_open(json, "build", '{');
    json_string(json, "babycry_edge", BC_VERSION);
#ifdef BENCH_GIT_COMMIT
    json_string(json, "git_commit", BENCH_GIT_COMMIT);
#else
    json_null(json, "git_commit");
#endif
    json_string(json, "compiler", COMPILER);
    json_string(json, "compiler_flags", BENCH_FLAGS);
    json_string(json, "instruction_set", bc_frontend_isa_name(0));
    json_open(json, "instruction_sets", '[');
    for (size_t i = 0; (isa = bc_frontend_isa_name(i)) != NULL; i++) {
        json_string(json, NULL, isa);
    }
    json_close(json, ']');
    json_null(json, "python");
    json_open(json, "packages", '{');
#ifdef __GLIBC__
    json_string(json, "glibc", gnu_get_libc_version());
#endif
    json_close(json, '}');
    json_close(json, '}');
}

static void record_real_time(bench_json *json, const bench_timing *timing) {
    double *factors = malloc(timing->n * sizeof *factors), total_ms = 0.0, audio_s = 0.0;
    int cores = bench_machine_cores();
    if (factors == NULL) {
        json->failed = 1;
        return;
    }
    for (size_t i = 0; i < timing->n; i++) {
        factors[i] = timing->ms[i] / 1000.0 / timing->audio_s[i];
        total_ms += timing->ms[i];
        audio_s += timing->audio_s[i];
    }
    bench_sort(factors, timing->n);
    json_open(json, "real_time_factor", '{');
    json_number(json, "p50", bench_percentile(factors, timing->n, 50.0));
    json_number(json, "p95", bench_percentile(factors, timing->n, 95.0));
    json_number(json, "max", factors[timing->n - 1]);
    json_close(json, '}');
    json_number(json, "duty_cycle", total_ms / 1000.0 / audio_s);
    json_number(json, "cpu_share", cores > 0 ? (double)timing->cpu_ns * 1e-9 / audio_s / cores : (double)NAN);
    free(factors);
}

static void record_interval(bench_json *json, const bench_timing *timing) {
    double low, high, *sorted = malloc(timing->n_rounds * sizeof *sorted);
    if (sorted == NULL) {
        json->failed = 1;
        return;
    }
    memcpy(sorted, timing->round_ms, timing->n_rounds * sizeof *sorted);
    bench_sort(sorted, timing->n_rounds);
    if (bench_median_interval(sorted, timing->n_rounds, &low, &high)) {
        json_open(json, "p50_interval", '[');
        json_number(json, NULL, low);
        json_number(json, NULL, high);
        json_close(json, ']');
    } else {
        json_null(json, "p50_interval");
    }
    free(sorted);
    json_open(json, "rounds", '[');
    for (size_t i = 0; i < timing->n_rounds; i++) {
        json_number(json, NULL, timing->round_ms[i]);
    }
    json_close(json, ']');
}

static void record_stage(bench_json *json, const bench_timing *timing) {
    static const struct {
        const char *name;
        double q;
    } percentiles[] = {{"p50", 50.0}, {"p90", 90.0}, {"p95", 95.0}, {"p99", 99.0}, {"max", 100.0}};
    const bench_stage *stage = timing->context.stage;
    double *sorted = malloc(timing->n * sizeof *sorted);
    if (sorted == NULL) {
        json->failed = 1;
        return;
    }
    json_open(json, NULL, '{');
    json_string(json, "model", stage->model);
    json_string(json, "profile", stage->profile);
    json_string(json, "stage", stage->name);
    json_string(json, "clock", "wall");
    json_string(json, "unit", "ms");
    json_count(json, "warmup", timing->warmup);
    json_count(json, "count", timing->n);
    memcpy(sorted, timing->audio_s, timing->n * sizeof *sorted);
    bench_sort(sorted, timing->n);
    json_number(json, "audio_s", bench_percentile(sorted, timing->n, 50.0));
    memcpy(sorted, timing->ms, timing->n * sizeof *sorted);
    bench_sort(sorted, timing->n);
    for (size_t i = 0; i < sizeof percentiles / sizeof percentiles[0]; i++) {
        json_number(json, percentiles[i].name, bench_percentile(sorted, timing->n, percentiles[i].q));
    }
    record_interval(json, timing);
    json_open(json, "quantiles", '[');
    for (int q = 0; q <= 100; q += 5) {
        json_number(json, NULL, bench_percentile(sorted, timing->n, q));
    }
    json_close(json, ']');
    free(sorted);
    record_real_time(json, timing);
    json_close(json, '}');
}

static void record_stages(bench_json *json, const bench_results *results) {
    json_open(json, "stages", '[');
    for (size_t i = 0; i < results->n && !results->options->instructions; i++) {
        const bench_timing *timing = &results->timings[i];
        if (timing->failure == NULL && timing->n != 0) {
            record_stage(json, timing);
        }
    }
    json_close(json, ']');
}

static void record_one_parity(bench_json *json, const bench_parity *parity) {
    json_open(json, NULL, '{');
    json_string(json, "profile", parity->name);
    json_count(json, "clips", parity->clips);
    json_count(json, "mismatches", parity->mismatches);
    json_open(json, "mismatched_clips", '[');
    for (size_t at = 0; at < parity->mismatched_size; at += strlen(parity->mismatched + at) + 1) {
        json_string(json, NULL, parity->mismatched + at);
    }
    json_close(json, ']');
    json_close(json, '}');
}

static void record_parity(bench_json *json, const bench_results *results) {
    static const char *const parts[] = {"feature_hashes", "streaming"};
    const char *isa;
    json_open(json, "parity", '{');
    for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++) {
        json_open(json, parts[k], '{');
        if (k == 0) {
            json_open(json, "instruction_sets", '[');
            for (size_t i = 0; (isa = bc_frontend_isa_name(i)) != NULL; i++) {
                json_string(json, NULL, isa);
            }
            json_close(json, ']');
        }
        json_open(json, "profiles", '[');
        for (size_t i = 0; i < results->n; i++) {
            const bench_parity *parity = &results->parities[i];
            if (parity->part != NULL && strcmp(parity->part, parts[k]) == 0) {
                record_one_parity(json, parity);
            }
        }
        json_close(json, ']');
        json_close(json, '}');
    }
    json_close(json, '}');
}

static void record_memory(bench_json *json, const bench_results *results) {
    bc_frontend_config cfg;
    json_open(json, "memory", '{');
    if (results->peak_rss_bytes != 0 && !results->options->instructions) { /* an emulator's is its own */
        json_count(json, "peak_rss_bytes", results->peak_rss_bytes);
    }
    if (bc_frontend_profile(&cfg, BENCH_PIPELINE_PROFILE) == BC_OK) {
        json_count(json, "frontend_ram_bytes", bc_frontend_ram_size(&cfg));
    }
    json_close(json, '}');
}

/* Whether the file beside the program is the one that it was built with. */
static int model_is_there(const bench_model *model) {
    uint8_t bytes[4096];
    uint64_t hash = FNV1A_OF_NOTHING, size = 0;
    char path[4352], *slash;
    ssize_t length = readlink("/proc/self/exe", path, 4096);
    path[length > 0 ? length : 0] = '\0';
    slash = strrchr(path, '/');
    snprintf(slash != NULL ? slash + 1 : path, 256, "%s", model->file);
    FILE *file = fopen(path, "rb");
    for (size_t got; file != NULL && (got = fread(bytes, 1, sizeof bytes, file)) != 0; size += got) {
        hash = fnv1a(bytes, got, hash);
    }
    if (file != NULL) {
        fclose(file);
    }
    return size == model->size && hash == model->hash;
}

static void record_models(bench_json *json) {
    json_open(json, "models", '[');
    for (size_t i = 0; i < bench_n_models; i++) {
        json_raw(json, NULL, bench_models[i].json);
    }
    json_close(json, ']');
}

static void record_warnings(bench_json *json, const bench_results *results) {
    char text[256];
    json_open(json, "warnings", '[');
    if (!results->options->instructions) {
        bench_machine_warnings(json, &results->before, &results->after);
    }
    for (size_t i = 0; i < bench_n_models; i++) {
        if (!model_is_there(&bench_models[i])) {
            snprintf(text, sizeof text, "%s: not beside the program, or another file than it was built with",
                     bench_models[i].file);
            json_string(json, NULL, text);
        }
        snprintf(text, sizeof text, "%s: not run: this program has no engine for it yet", bench_models[i].file);
        json_string(json, NULL, text);
    }
    for (size_t i = 0; i < results->n; i++) {
        const bench_timing *timing = &results->timings[i];
        const bench_stage *stage = timing->context.stage;
        if (timing->failure != NULL) {
            snprintf(text, sizeof text, "%s %s left out: %s", stage->name, stage->profile ? stage->profile : "",
                     timing->failure);
            json_string(json, NULL, text);
        }
    }
    json_close(json, ']');
}

void bench_record(bench_json *json, const bench_results *results) {
    char created[32];
    time_t now = time(NULL);
    struct tm utc;
    int dated = gmtime_r(&now, &utc) != NULL && strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", &utc) != 0;
    json_open(json, NULL, '{');
    json_count(json, "schema_version", 2);
    json_string(json, "kind", "record");
    json_string(json, "target", results->options->target);
    json_string(json, "created", dated && utc.tm_year + 1900 <= 9999 ? created : NULL);
    record_build(json);
    bench_machine_record(json, results->options->instructions, results->options->core, &results->before,
                         &results->after);
    record_models(json);
    record_stages(json, results);
    record_parity(json, results);
    record_memory(json, results);
    record_warnings(json, results);
    json_close(json, '}');
    json_end(json);
}
