/* The ways to die that do not stand in main.c. */
#ifndef TESTS_FAULTS_CASES_H
#define TESTS_FAULTS_CASES_H

#include <stddef.h>

/* A function that a traceback must show: not inlined, not cloned, and it calls nothing last. */
#define SHOWN        __attribute__((noipa))
#define KEEP_FRAME() __asm__ volatile("" ::: "memory")

/* heap.c */
void double_free(void);
void double_free_later(void);
void inner_free(void);
void stack_free(void);
void data_free(void);
void malloc_all(void);
struct block *take_all(size_t *taken);
void give_back(struct block *all);
void stack_without_page(void);
void stacks_all(void);
void suspended_without_memory(void);

/* time.c */
void time_without_memory(void);

/* ends.c */
void exit_amid_profiles(void);
void exit_everywhere(void);
void profile_for_ever(void *name); /* writes it nowhere, over and over */

/* lock.c */
void irq_lock(void);

/* trace.c */
void trace_rank(void);
void trace_in_panic(void);
void trace_unread(void);
void trace_unread_stop(void);
void trace_gap(void);
void trace_between(void);
void trace_crash_gap(void);
void trace_without_memory(void);

/* lockup.c */
void hard_lockup(void);
void lockup_waiting(void);
void panic_second(void);

/* own.c */
void walk_unowned(void);
void shrink_foreign(void);
void own_under_lock(void);
void own_across_park(void);

/* crash.c: X(name) for each. */
#define CRASH_CASES(X)     \
	X(nmi_to_reporter) \
	X(panic_in_dump)   \
	X(panic_at_start)  \
	X(panic_crowd)     \
	X(panic_profiled)  \
	X(panic_amid_profiles)
#define CRASH_CASE_DECLARE(name) void name(void);
CRASH_CASES(CRASH_CASE_DECLARE)

/* held.c: X(name) for each. */
#define HELD_CASES(X)              \
	X(panic_with_page_lock)    \
	X(panic_with_heap_lock)    \
	X(panic_with_console_lock) \
	X(panic_with_trace_lock)
#define HELD_CASE_DECLARE(name) void name(void);
HELD_CASES(HELD_CASE_DECLARE)

/* panics.c: X(name) for each. */
#define PANIC_CASES(X)                        \
	X(recursive_panic)                    \
	X(recursive_panic2)                   \
	X(recursive_panic3)                   \
	X(recursive_panic4)                   \
	X(recursive_panic5)                   \
	X(repanicked_panic)                   \
	X(repanicked_middle_panic)            \
	X(repanicked_panic_sandwich)          \
	X(double_panic)                       \
	X(panic_traceback)                    \
	X(panic_deadlock_gosched)             \
	X(main_goroutine_id)                  \
	X(simple_deadlock)                    \
	X(locked_deadlock)                    \
	X(locked_deadlock2)                   \
	X(deadlock_seen_twice)                \
	X(ticker_deadlock)                    \
	X(goexit_deadlock)                    \
	X(goexit_in_panic)                    \
	X(panic_after_goexit)                 \
	X(recovered_panic_after_goexit)       \
	X(recover_before_panic_after_goexit)  \
	X(recover_before_panic_after_goexit2) \
	X(go_nil)                             \
	X(mutex_cycle)                        \
	X(bad_traceback)                      \
	X(g0_stack_overflow)                  \
	X(panic_holding_locks)                \
	X(panic_preempt_off)                  \
	X(panic_system_stack)                 \
	X(panic_in_interrupt)                 \
	X(fault_in_scope)
#define PANIC_CASE_DECLARE(name) void name(void);
PANIC_CASES(PANIC_CASE_DECLARE)

/* misuse.c: X(name) for each. */
#define MISUSE_CASES(X)       \
	X(misuse_unlock2)     \
	X(misuse_rw_unlock)   \
	X(misuse_rw_unlock2)  \
	X(misuse_rw_unlock3)  \
	X(misuse_rw_runlock)  \
	X(misuse_rw_runlock2) \
	X(misuse_rw_runlock3) \
	X(misuse_in_scope)    \
	X(cleanup_deadlock)   \
	X(finalizer_deadlock) \
	X(waitgroup_go_panic)
#define MISUSE_CASE_DECLARE(name) void name(void);
MISUSE_CASES(MISUSE_CASE_DECLARE)

/* cpu.c: what is not C, one implementation for each architecture. */

/* An instruction that no processor has. */
void fault_illegal(void);
/* Integer division by zero: a trap on x86-64; a value, and a return, on riscv64. */
void fault_division(void);
/* Continues with a stack pointer that leads nowhere, and uses it. */
void fault_wild_sp(void);
/* Something that only a more privileged mode may do (riscv64), or that no mode may (x86-64). */
void fault_privileged(void);

#endif
