/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROOM (256 * 1024) /* bytes; a record with every clip of every profile wrong is smaller */

static char part[4096];
static int file = -1;

static void take_away(int signal_number) {
    unlink(part);
    _exit(128 + signal_number);
}

static int complain(const char *path) {
    int reason = errno;
    if (file >= 0) {
        close(file);
        unlink(part);
        file = -1;
    }
    fprintf(stderr, "babycry-bench: %s: cannot be written: %s\n", path, strerror(reason));
    return 0;
}

static int write_all(const char *bytes, size_t size) {
    while (size != 0) {
        ssize_t written = write(file, bytes, size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return 0;
        }
        bytes += written;
        size -= (size_t)written;
    }
    return 1;
}

int bench_output_open(const char *path) {
    static const char zeros[4096];
    static const int signals[] = {SIGINT, SIGTERM};
    int length = snprintf(part, sizeof part, "%s.part", path);
    if (length < 0 || (size_t)length >= sizeof part) {
        errno = ENAMETOOLONG;
        return complain(path);
    }
    file = open(part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0) {
        return complain(path);
    }
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        signal(signals[i], take_away);
    }
    signal(SIGXFSZ, SIG_IGN); /* a limit of the file's size is then an error like a full disk */
    for (size_t done = 0; done < ROOM; done += sizeof zeros) {
        if (!write_all(zeros, sizeof zeros)) {
            return complain(path);
        }
    }
    return fsync(file) == 0 || errno == EINVAL ? 1 : complain(path);
}

int bench_output_write(const char *path, const char *text, size_t size) {
    int whole = lseek(file, 0, SEEK_SET) == 0 && write_all(text, size) && ftruncate(file, (off_t)size) == 0 &&
                (fsync(file) == 0 || errno == EINVAL) && rename(part, path) == 0;
    if (!whole) {
        complain(path);
        fwrite(text, 1, size, stdout);
        return 0;
    }
    close(file);
    return 1;
}
