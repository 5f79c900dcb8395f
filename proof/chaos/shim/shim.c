/*
 * Lies to one process about its disk and its clock (LD_PRELOAD). A control file of 64 bytes, mapped
 * by the process and by whoever injects faults, holds nine 32-bit words:
 *
 *   0  disk      0 as it is, 1 full: nothing can be written, 2 slow: each sync takes `delay`
 *   1  delay     ms
 *   2  offset    seconds by which the wall clock is wrong, signed
 *   3  failed    writes that found the disk full so far
 *   4  slowed    syncs that were slowed so far
 *   5  told      readings of the wrong wall clock so far
 *
 * The disk is wrong only for files whose path begins with CHAOS_SHIM_PATH. The monotonic clock is
 * always right.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { AS_IT_IS, FULL, SLOW };

struct control {
  volatile unsigned disk, delay;
  volatile int offset;
  unsigned failed, slowed, told;
};

static struct control *control;
static const char *path = "";

__attribute__((constructor)) static void begin(void) {
  const char *file = getenv("CHAOS_SHIM_CONTROL");
  int fd = file ? open(file, O_RDWR | O_CLOEXEC) : -1;
  if (getenv("CHAOS_SHIM_PATH")) path = strdup(getenv("CHAOS_SHIM_PATH"));
  if (fd < 0) return;
  void *page = mmap(NULL, 64, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page != MAP_FAILED) control = page;
  close(fd);
}

static int concerns(int fd) {
  char link[32], target[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, target, sizeof target - 1);
  return length > 0 && strncmp(target, path, strlen(path)) == 0;
}

static int full(int fd) {
  if (!control || control->disk != FULL || !concerns(fd)) return 0;
  __atomic_add_fetch(&control->failed, 1, __ATOMIC_RELAXED);
  errno = ENOSPC;
  return 1;
}

static void slow(int fd) {
  if (!control || control->disk != SLOW || !concerns(fd)) return;
  __atomic_add_fetch(&control->slowed, 1, __ATOMIC_RELAXED);
  usleep(control->delay * 1000);
}

/* The next definition of a function, looked up once. */
#define REAL(type, name, ...)                                     \
  static type (*real)(__VA_ARGS__);                               \
  if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *bytes, size_t count) {
  REAL(ssize_t, write, int, const void *, size_t);
  return full(fd) ? -1 : real(fd, bytes, count);
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
  REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
  return full(fd) ? -1 : real(fd, bytes, count, at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
  REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
  return full(fd) ? -1 : real(fd, bytes, count, at);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(ssize_t, writev, int, const struct iovec *, int);
  return full(fd) ? -1 : real(fd, parts, count);
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
  REAL(ssize_t, pwritev, int, const struct iovec *, int, off_t);
  return full(fd) ? -1 : real(fd, parts, count, at);
}
int ftruncate(int fd, off_t length) {
  REAL(int, ftruncate, int, off_t);
  return length > 0 && full(fd) ? -1 : real(fd, length);
}
int ftruncate64(int fd, off64_t length) {
  REAL(int, ftruncate64, int, off64_t);
  return length > 0 && full(fd) ? -1 : real(fd, length);
}
int fallocate(int fd, int mode, off_t at, off_t length) {
  REAL(int, fallocate, int, int, off_t, off_t);
  return full(fd) ? -1 : real(fd, mode, at, length);
}
int fsync(int fd) {
  REAL(int, fsync, int);
  slow(fd);
  return real(fd);
}
int fdatasync(int fd) {
  REAL(int, fdatasync, int);
  slow(fd);
  return real(fd);
}

static int wrong(void) {
  if (!control || control->offset == 0) return 0;
  __atomic_add_fetch(&control->told, 1, __ATOMIC_RELAXED);
  return control->offset;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  REAL(int, clock_gettime, clockid_t, struct timespec *);
  int result = real(clock, now);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    now->tv_sec += wrong();
  return result;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  REAL(int, gettimeofday, struct timeval *restrict, void *restrict);
  int result = real(now, zone);
  if (result == 0) now->tv_sec += wrong();
  return result;
}
time_t time(time_t *out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}
