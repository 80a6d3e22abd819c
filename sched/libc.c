/*
 * What picolibc asks of the kernel: its locks (on goroutine mutexes), standard streams on the console, the INPUT file behind open/read,
 * time, and the way out. malloc is in kernel/malloc.c.
 *
 * Context: goroutines only. Standard output is collected by line and leaves in whole lines; what a program printed without a newline
 * leaves at the next read, fflush or exit.
 */
#include "sched/sched.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/lock.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#include <hartbeat/go.h>
#include <hartbeat/sync.h>

#include "kernel/assert.h"
#include "kernel/clock.h"
#include "kernel/console.h"
#include "kernel/heap.h"
#include "sched/impl.h"

/* ---- locks ---- */

struct __lock {
	struct mutex m;
	struct g *_Atomic owner;
	uint32_t depth;      /* guarded by m */
	struct __lock *next; /* guarded by m: in held */
};

struct __lock __lock___libc_recursive_mutex;
static _Thread_local struct __lock *held; /* recursive locks of this goroutine, the last one taken first */

/* The library makes the lock of a stream when it is first used, and cannot be told that there is no memory: these are for as many as the standard ones. */
static struct __lock kept[3];
static _Atomic uint32_t n_kept;

static bool is_kept(const struct __lock *lock)
{
	return lock >= kept && lock < kept + sizeof kept / sizeof kept[0];
}

void __retarget_lock_init(_LOCK_T *lock)
{
	uint32_t i;
	*lock = heap_alloc_zero(sizeof(struct __lock));
	/* relaxed: a number for each */
	if (*lock == NULL &&
	    (i = atomic_fetch_add_explicit(&n_kept, 1, memory_order_relaxed)) < sizeof kept / sizeof kept[0])
		*lock = &kept[i];
	if (*lock == NULL)
		panic("out of memory: no room for a C library lock");
}

void __retarget_lock_init_recursive(_LOCK_T *lock)
{
	__retarget_lock_init(lock);
}

void __retarget_lock_close(_LOCK_T lock)
{
	if (!is_kept(lock))
		heap_free(lock);
}

void __retarget_lock_close_recursive(_LOCK_T lock)
{
	__retarget_lock_close(lock);
}

void __retarget_lock_acquire(_LOCK_T lock)
{
	mutex_lock(&lock->m);
}

void __retarget_lock_release(_LOCK_T lock)
{
	mutex_unlock(&lock->m);
}

void __retarget_lock_acquire_recursive(_LOCK_T lock)
{
	struct g *self = g_self();
	/* Only this goroutine can have stored itself. */
	if (atomic_load_explicit(&lock->owner, memory_order_relaxed) != self) {
		mutex_lock(&lock->m);
		atomic_store_explicit(&lock->owner, self, memory_order_relaxed);
		lock->next = held;
		held = lock;
	}
	lock->depth++;
}

static void give_back(struct __lock *lock)
{
	struct __lock **p = &held;
	while (*p != lock)
		p = &(*p)->next;
	*p = lock->next;
	atomic_store_explicit(&lock->owner, NULL, memory_order_relaxed);
	mutex_unlock(&lock->m);
}

void __retarget_lock_release_recursive(_LOCK_T lock)
{
	ASSERT(atomic_load_explicit(&lock->owner, memory_order_relaxed) == g_self(),
	       "a C library lock is released by its owner");
	if (--lock->depth == 0)
		give_back(lock);
}

void libc_locks_mark(void **at, uint32_t *depth, unsigned max)
{
	unsigned n = 0;
	*at = held;
	for (const struct __lock *l = held; l != NULL; l = l->next) {
		ASSERT(n < max, "a RECOVER_SCOPE lies inside at most 4 locked streams");
		depth[n++] = l->depth;
	}
}

void libc_locks_release(void *at, const uint32_t *depth, unsigned max)
{
	while (held != NULL && held != at) {
		held->depth = 0;
		give_back(held);
	}
	unsigned n = 0;
	for (struct __lock *l = held; l != NULL && n < max; l = l->next)
		l->depth = depth[n++];
}

/* ---- the INPUT file ---- */

enum { FD_FIRST = 3, FD_MAX = 4096 };

static const char *input_data;
static size_t input_size;
static const char *input_name;
/* Relaxed, both: stdin is read under its FILE's lock, and a descriptor belongs to the FILE that opened it, whose lock orders its users; who
 * opens one takes it by compare-and-swap, and nothing but the offset hangs on it. */
static _Atomic size_t stdin_at;

/* Open descriptors of the input: offset, or -1 when closed. */
static _Atomic long fd_offset[FD_MAX];

void libc_input(const void *data, size_t size, const char *name)
{
	input_data = data;
	input_size = size;
	input_name = name;
	for (int i = 0; i < FD_MAX; i++)
		atomic_store_explicit(&fd_offset[i], -1, memory_order_relaxed);
}

static bool is_input(const char *path)
{
	while (*path == '/')
		path++;
	return input_data != NULL &&
	       (strcmp(path, "input") == 0 || (input_name != NULL && strcmp(path, input_name) == 0));
}

int open(const char *path, int flags, ...)
{
	if (!is_input(path)) {
		errno = ENOENT;
		return -1;
	}
	if ((flags & O_ACCMODE) != O_RDONLY) {
		errno = EROFS;
		return -1;
	}
	static _Atomic uint32_t hint; /* where a free descriptor is likely */
	for (int i = 0; i < FD_MAX; i++) {
		int fd = (int)(atomic_fetch_add_explicit(&hint, 1, memory_order_relaxed) % FD_MAX);
		long closed = -1;
		if (atomic_compare_exchange_strong_explicit(&fd_offset[fd], &closed, 0, memory_order_relaxed,
							    memory_order_relaxed))
			return fd + FD_FIRST;
	}
	errno = EMFILE;
	return -1;
}

static _Atomic long *offset_of(int fd)
{
	if (fd < FD_FIRST || fd >= FD_FIRST + FD_MAX ||
	    atomic_load_explicit(&fd_offset[fd - FD_FIRST], memory_order_relaxed) < 0) {
		errno = EBADF;
		return NULL;
	}
	return &fd_offset[fd - FD_FIRST];
}

ssize_t read(int fd, void *buf, size_t n)
{
	_Atomic long *at = offset_of(fd);
	if (at == NULL)
		return -1;
	size_t from = (size_t)atomic_load_explicit(at, memory_order_relaxed);
	if (from > input_size)
		from = input_size;
	if (n > input_size - from)
		n = input_size - from;
	memcpy(buf, input_data + from, n);
	atomic_store_explicit(at, (long)(from + n), memory_order_relaxed);
	return (ssize_t)n;
}

ssize_t write(int fd, const void *buf, size_t n)
{
	if (fd != STDOUT_FILENO && fd != STDERR_FILENO) {
		errno = EBADF;
		return -1;
	}
	console_program(buf, n);
	return (ssize_t)n;
}

off_t lseek(int fd, off_t offset, int whence)
{
	_Atomic long *at = offset_of(fd);
	if (at == NULL)
		return -1;
	if (whence == SEEK_CUR)
		offset += atomic_load_explicit(at, memory_order_relaxed);
	else if (whence == SEEK_END)
		offset += (off_t)input_size;
	if (offset < 0) {
		errno = EINVAL;
		return -1;
	}
	atomic_store_explicit(at, (long)offset, memory_order_relaxed);
	return offset;
}

int close(int fd)
{
	_Atomic long *at = offset_of(fd);
	if (at == NULL)
		return -1;
	atomic_store_explicit(at, -1, memory_order_relaxed);
	return 0;
}

int fstat(int fd, struct stat *st)
{
	if (offset_of(fd) == NULL)
		return -1;
	memset(st, 0, sizeof *st);
	st->st_mode = S_IFREG | 0444;
	st->st_size = (off_t)input_size;
	return 0;
}

int stat(const char *path, struct stat *st)
{
	if (!is_input(path)) {
		errno = ENOENT;
		return -1;
	}
	memset(st, 0, sizeof *st);
	st->st_mode = S_IFREG | 0444;
	st->st_size = (off_t)input_size;
	return 0;
}

int unlink(const char *path)
{
	errno = is_input(path) ? EROFS : ENOENT;
	return -1;
}

/* ---- standard streams ---- */

struct stream {
	FILE file; /* first */
	size_t n;  /* bytes in line[], guarded by the FILE lock */
	char line[256];
};

static int stream_flush(FILE *f)
{
	struct stream *s = (struct stream *)f;
	if (s->n > 0)
		console_program(s->line, s->n);
	s->n = 0;
	return 0;
}

static int stream_put(char c, FILE *f)
{
	struct stream *s = (struct stream *)f;
	s->line[s->n++] = c;
	if (c == '\n' || s->n == sizeof s->line)
		stream_flush(f);
	return (unsigned char)c;
}

static struct stream out_stream = {
	.file = FDEV_SETUP_STREAM(stream_put, NULL, stream_flush, _FDEV_SETUP_WRITE)};
static struct stream err_stream = {
	.file = FDEV_SETUP_STREAM(stream_put, NULL, stream_flush, _FDEV_SETUP_WRITE)};

static int stream_get(FILE *f)
{
	(void)f;
	fflush(stdout);
	size_t at = atomic_fetch_add_explicit(&stdin_at, 1, memory_order_relaxed);
	if (at >= input_size) {
		atomic_store_explicit(&stdin_at, input_size, memory_order_relaxed);
		return _FDEV_EOF;
	}
	return (unsigned char)input_data[at];
}

static FILE in_stream = FDEV_SETUP_STREAM(NULL, stream_get, NULL, _FDEV_SETUP_READ);

FILE *const stdin = &in_stream;
FILE *const stdout = &out_stream.file;
FILE *const stderr = &err_stream.file;

/* ---- time, identity, the way out ---- */

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	(void)zone;
	uint64_t ns = clock_wall_ns();
	tv->tv_sec = (time_t)(ns / 1000000000u);
	tv->tv_usec = (suseconds_t)(ns % 1000000000u / 1000);
	return 0;
}

clock_t times(struct tms *t)
{
	clock_t ticks = (clock_t)(clock_ns() / (1000000000u / CLOCKS_PER_SEC));
	*t = (struct tms){.tms_utime = ticks};
	return ticks;
}

int getentropy(void *buf, size_t n)
{
	(void)buf;
	(void)n;
	errno = ENOSYS; /* there is no source of entropy */
	return -1;
}

pid_t getpid(void)
{
	return 1;
}

int kill(pid_t pid, int sig)
{
	(void)pid;
	panic("signal %d raised", sig); /* abort() among others */
}

void abort(void)
{
	panic("abort() called");
}

/* What assert() calls. */
void __assert_func(const char *file, int line, const char *function, const char *expression)
{
	panic("assertion failed: %s at %s:%d in %s", expression, file, line, function);
}

/* There are no signals to block. */
int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	(void)how;
	(void)set;
	(void)old;
	errno = ENOSYS;
	return -1;
}

void (*libc_exit_hook)(int status);

void _exit(int status)
{
	fflush(stdout);
	fflush(stderr);
	libc_exit_hook(status);
	for (;;)
		go_yield();
}
