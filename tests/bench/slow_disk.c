/* Preloaded into a program: each write to a file at an offset takes the time of a disk of SLOW_DISK_BYTES_S. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

static void take_time(ssize_t bytes) {
    const char *rate = getenv("SLOW_DISK_BYTES_S");
    double seconds = rate && bytes > 0 ? (double)bytes / atof(rate) : 0;
    struct timespec time = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)};
    nanosleep(&time, NULL);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (!real) real = (ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
    ssize_t written = real(file, bytes, count, offset);
    take_time(written);
    return written;
}

ssize_t pwritev64v2(int file, const struct iovec *pieces, int count, off64_t offset, int flags) {
    static ssize_t (*real)(int, const struct iovec *, int, off64_t, int);
    if (!real) real = (ssize_t(*)(int, const struct iovec *, int, off64_t, int))dlsym(RTLD_NEXT, "pwritev64v2");
    ssize_t written = real(file, pieces, count, offset, flags);
    take_time(written);
    return written;
}
