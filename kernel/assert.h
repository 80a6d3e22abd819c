/*
 * Assertions: on in every build. The message names the rule that was broken; the report adds the place, the
 * hart, the goroutine and the stack.
 */
#ifndef KERNEL_ASSERT_H
#define KERNEL_ASSERT_H

/* Ends the program with a report (kernel/panic.c; tests/host/host_panic.c on the host). Any context. */
_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define ASSERT_STR_(x) #x
#define ASSERT_STR(x)  ASSERT_STR_(x)

/* ASSERT(cond, "rule"): panics with "assertion failed: rule (cond) at file:line" when cond is false. */
#define ASSERT(cond, rule)                                                                               \
	do {                                                                                             \
		if (__builtin_expect(!(cond), 0))                                                        \
			panic("assertion failed: %s (%s) at " __FILE__ ":" ASSERT_STR(__LINE__), (rule), \
			      #cond);                                                                    \
	} while (0)

#endif
