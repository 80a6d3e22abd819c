/* The ways to die that are not C: one implementation for each architecture. */
#ifndef TESTS_FAULTS_CASES_H
#define TESTS_FAULTS_CASES_H

/* An instruction that no processor has. */
void fault_illegal(void);
/* Integer division by zero: a trap on x86-64; a value, and a return, on riscv64. */
void fault_division(void);
/* Continues with a stack pointer that leads nowhere, and uses it. */
void fault_wild_sp(void);
/* Something that only a more privileged mode may do (riscv64), or that no mode may (x86-64). */
void fault_privileged(void);

#endif
