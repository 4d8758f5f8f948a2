/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* sched_getaffinity */
#include "bench_machine.h"

#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define LINE 256
#define CPU0 "/sys/devices/system/cpu/cpu0/cpufreq/"

#if defined(__x86_64__) || defined(__i386__)
#define OWN_FIELD "vendor_id"
#elif defined(__aarch64__) || defined(__arm__)
#define OWN_FIELD "CPU implementer"
#elif defined(__riscv)
#define OWN_FIELD "hart"
#else
#define OWN_FIELD "processor"
#endif

/* The first line of a file, without what ends it; 0 if there is none. */
static int first_line(const char *path, char line[LINE]) {
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return 0;
    }
    char *got = fgets(line, LINE, file);
    fclose(file);
    if (got == NULL) {
        return 0;
    }
    line[strcspn(line, "\r\n")] = '\0';
    return line[0] != '\0';
}

static double number_in(const char *path) {
    char line[LINE], *end;
    if (!first_line(path, line)) {
        return NAN;
    }
    double number = strtod(line, &end);
    return end != line ? number : NAN;
}

/* The value of the first "NAME : value" line; 0 if there is none. */
static int field_of(const char *path, const char *name, char value[LINE]) {
    char line[LINE];
    FILE *file = fopen(path, "r");
    int found = 0;
    while (file != NULL && !found && fgets(line, LINE, file) != NULL) {
        size_t length = strlen(name);
        if (strncmp(line, name, length) != 0) {
            continue;
        }
        const char *at = line + length + strspn(line + length, " \t");
        if (*at == ':') {
            at++;
            at += strspn(at, " \t");
            snprintf(value, LINE, "%.*s", (int)strcspn(at, "\r\n"), at);
            found = value[0] != '\0';
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

static int cpu_name(char name[LINE]) {
    static const char *const fields[] = {"model name", "Model", "Hardware", "uarch"};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (field_of("/proc/cpuinfo", fields[i], name)) {
            return 1;
        }
    }
    return first_line("/proc/device-tree/model", name);
}

static double frequency_mhz(void) {
    char text[LINE];
    double khz = number_in(CPU0 "scaling_cur_freq");
    if (!isnan(khz)) {
        return khz / 1000.0;
    }
    return field_of("/proc/cpuinfo", "cpu MHz", text) ? strtod(text, NULL) : NAN;
}

static int is_of_the_processor(const char *type) {
    return strstr(type, "cpu") != NULL || strstr(type, "soc") != NULL || strstr(type, "pkg") != NULL;
}

/* Of the thermal zone that names the processor, or of the first. */
static double temperature_c(void) {
    char path[LINE], type[LINE];
    double first = number_in("/sys/class/thermal/thermal_zone0/temp");
    for (int zone = 0; zone < 32; zone++) {
        snprintf(path, sizeof path, "/sys/class/thermal/thermal_zone%d/type", zone);
        if (first_line(path, type) && is_of_the_processor(type)) {
            snprintf(path, sizeof path, "/sys/class/thermal/thermal_zone%d/temp", zone);
            return number_in(path) / 1000.0;
        }
    }
    return first / 1000.0;
}

/* A Raspberry Pi's firmware says so; elsewhere a cooling device that holds the clock down. */
static int throttled(void) {
    char line[LINE], path[LINE];
    if (first_line("/sys/devices/platform/soc/soc:firmware/get_throttled", line)) {
        return (strtoul(line, NULL, 16) & 0xeu) != 0; /* frequency capped, throttled, soft limit: at present */
    }
    int known = -1;
    for (int device = 0; device < 32; device++) {
        snprintf(path, sizeof path, "/sys/class/thermal/cooling_device%d/type", device);
        if (!first_line(path, line) || (strstr(line, "cpufreq") == NULL && strcmp(line, "Processor") != 0)) {
            continue;
        }
        snprintf(path, sizeof path, "/sys/class/thermal/cooling_device%d/cur_state", device);
        double state = number_in(path);
        if (!isnan(state)) {
            known = known == 1 || state > 0.0;
        }
    }
    return known;
}

bench_machine_state bench_machine_now(void) {
    double load;
    bench_machine_state now = {frequency_mhz(), temperature_c(), NAN, throttled()};
    if (getloadavg(&load, 1) == 1) {
        now.load_average = load;
    }
    return now;
}

int bench_machine_cores(void) { return (int)sysconf(_SC_NPROCESSORS_CONF); }

static int usable_cores(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
}

static void count_or_null(bench_json *json, const char *key, long count) {
    if (count > 0) {
        json_count(json, key, (uint64_t)count);
    } else {
        json_null(json, key);
    }
}

static void record_state(bench_json *json, const char *key, const bench_machine_state *state) {
    json_open(json, key, '{');
    json_number(json, "frequency_mhz", state->frequency_mhz);
    json_number(json, "temperature_c", state->temperature_c);
    if (state->throttled < 0) {
        json_null(json, "throttled");
    } else {
        json_bool(json, "throttled", state->throttled);
    }
    json_number(json, "load_average_1min", state->load_average);
    json_close(json, '}');
}

static void record_hardware(bench_json *json, int pinned_core) {
    char line[LINE];
    json_string(json, "cpu", cpu_name(line) ? line : NULL);
    count_or_null(json, "cores", bench_machine_cores());
    count_or_null(json, "cores_usable", usable_cores());
    if (pinned_core < 0) {
        json_null(json, "pinned_core");
    } else {
        json_count(json, "pinned_core", (uint64_t)pinned_core);
    }
    json_string(json, "governor", first_line(CPU0 "scaling_governor", line) ? line : NULL);
    if (field_of("/proc/meminfo", "MemTotal", line)) {
        json_count(json, "memory_bytes", 1024u * strtoull(line, NULL, 10));
    } else {
        json_null(json, "memory_bytes");
    }
}

void bench_machine_record(bench_json *json, int emulated, int pinned_core, const bench_machine_state *before,
                          const bench_machine_state *after) {
    static const char *const unknown[] = {"cpu", "cores", "cores_usable", "pinned_core", "governor", "memory_bytes"};
    struct utsname system;
    char name[2 * sizeof system.sysname + 2];
    int known = uname(&system) == 0;
    const bench_machine_state nothing = {NAN, NAN, NAN, -1};
    json_open(json, "machine", '{');
    json_string(json, "kind", emulated ? "emulated process" : "machine");
    json_null(json, "emulator");
    json_string(json, "architecture", known ? system.machine : "unknown");
    if (emulated) {
        for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
            json_null(json, unknown[i]);
        }
    } else {
        record_hardware(json, pinned_core);
    }
    json_null(json, "clock_hz");
    if (known) {
        snprintf(name, sizeof name, "%s %s", system.sysname, system.release);
    }
    json_string(json, "operating_system", known && !emulated ? name : NULL);
    record_state(json, "before", emulated ? &nothing : before);
    record_state(json, "after", emulated ? &nothing : after);
    json_close(json, '}');
}

void bench_machine_warnings(bench_json *json, const bench_machine_state *before, const bench_machine_state *after) {
    char line[LINE], text[2 * LINE];
    if (first_line(CPU0 "scaling_governor", line) && strcmp(line, "performance") != 0 &&
        strcmp(line, "userspace") != 0) {
        snprintf(text, sizeof text, "CPU governor is '%s': timings may wander; 'performance' holds them still", line);
        json_string(json, NULL, text);
    }
    if (before->load_average > 0.5 * bench_machine_cores()) {
        snprintf(text, sizeof text, "other work is running here (load %.1f on %d cores)", before->load_average,
                 bench_machine_cores());
        json_string(json, NULL, text);
    }
    if (before->throttled == 1 || after->throttled == 1) {
        json_string(json, NULL, "the processor is throttled: cool it, or give it more power, and measure again");
    }
}

int bench_machine_is_foreign(void) {
    char line[LINE], value[LINE];
    return first_line("/proc/cpuinfo", line) && !field_of("/proc/cpuinfo", OWN_FIELD, value);
}
