/* The ways to die that do not stand in main.c. */
#ifndef TESTS_FAULTS_CASES_H
#define TESTS_FAULTS_CASES_H

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
void stacks_all(void);

/* lock.c */
void irq_lock(void);

/* own.c */
void walk_unowned(void);
void own_under_lock(void);
void own_across_park(void);

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
