/*
 * Why a goroutine waits: one list, from which reports, profiles and traces take their words. Adding a reason is a line here.
 * The first text is Go's in tracebacks, the second Go's in execution traces, where tools interpret it.
 */
#ifndef KERNEL_WAIT_REASON_H
#define KERNEL_WAIT_REASON_H

#define WAIT_REASONS(X)                                             \
	X(NONE, "waiting", "unspecified")                           \
	X(CHAN_SEND, "chan send", "chan send")                      \
	X(CHAN_SEND_NIL, "chan send (nil chan)", "forever")         \
	X(CHAN_RECEIVE, "chan receive", "chan receive")             \
	X(CHAN_RECEIVE_NIL, "chan receive (nil chan)", "forever")   \
	X(SELECT, "select", "select")                               \
	X(SELECT_NO_CASES, "select (no cases)", "forever")          \
	X(SLEEP, "sleep", "sleep")                                  \
	X(MUTEX, "sync.Mutex.Lock", "sync")                         \
	X(RWMUTEX_READ, "sync.RWMutex.RLock", "sync")               \
	X(RWMUTEX_WRITE, "sync.RWMutex.Lock", "sync")               \
	X(WAITGROUP, "sync.WaitGroup.Wait", "sync")                 \
	X(COND, "sync.Cond.Wait", "sync.(*Cond).Wait")              \
	X(SEMAPHORE, "semacquire", "sync")                          \
	X(SYSTEM, "system goroutine wait", "system goroutine wait") \
	X(STW, "stop the world", "preempted")

enum wait_reason {
#define WAIT_REASON_ENUM(name, text, trace) WAIT_##name,
	WAIT_REASONS(WAIT_REASON_ENUM)
#undef WAIT_REASON_ENUM
		WAIT_REASON_COUNT
};

struct wait_reason_text {
	const char *text;  /* in a traceback: goroutine 7 [chan receive] */
	const char *trace; /* in an execution trace */
};

extern const struct wait_reason_text wait_reason_text[WAIT_REASON_COUNT]; /* kernel/wait_reason.c */

#endif
