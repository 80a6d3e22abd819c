/* Numbers of the supervisor binary interface that assembly needs too (RISC-V SBI specification 3.0). */
#ifndef ARCH_RISCV64_SBI_NUMBERS_H
#define ARCH_RISCV64_SBI_NUMBERS_H

#define SBI_EXT_SSE 0x535345 /* supervisor software events */

#define SBI_EXT_PMU 0x504D55 /* performance counters */

#define SBI_PMU_MATCH 2 /* which counters may be taken, flags, event */
#define SBI_PMU_START 3 /* which counters, flags, value */
#define SBI_PMU_STOP  4 /* which counters, flags */

#define SBI_PMU_MATCH_CLEAR 2 /* the counter begins at 0 */
#define SBI_PMU_START_VALUE 1 /* with this value */
#define SBI_PMU_CYCLES      1 /* event */

#define SBI_SSE_READ     0 /* event, first attribute, how many, physical address of a buffer (two halves) */
#define SBI_SSE_REGISTER 2 /* event, entry, argument */
#define SBI_SSE_ENABLE   4 /* event */
#define SBI_SSE_COMPLETE 6
#define SBI_SSE_INJECT   7 /* event, hart */
#define SBI_SSE_UNMASK   8 /* this hart takes events */

#define SBI_SSE_SEPC 6 /* attribute: sepc as it was before the event */

#define SBI_SSE_LOCAL_COUNTER  0x10000    /* a counter of this hart ran over */
#define SBI_SSE_LOCAL_SOFTWARE 0xffff0000 /* the event that software injects into one hart */

#endif
