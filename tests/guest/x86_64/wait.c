/* A hart that waits (sti; hlt) when an NMI comes between the two: what was pending wakes it all the same. */
#include "suite.h"

#include <hartbeat/go.h>
#include <hartbeat/time.h>

#include "arch/arch.h"
#include "kernel/hart.h"
#include "kernel/preempt.h"

enum { ROUNDS = 1500, LATE_NS = 100000 }; /* the alarm comes after some 2,500 instructions */

/* 2 n instructions, and one more if n is odd. */
static void delay(uint64_t n)
{
	__asm__ volatile("	testb $1, %b0\n"
			 "	jz 1f\n"
			 "	nop\n"
			 "1:	decq %0\n"
			 "	jnz 1b"
			 : "+r"(n)
			 :
			 : "cc");
}

/* An interrupt is pending, and an NMI comes about when it is waited for: how long that takes, ns. */
static uint64_t wait_with_nmi(uint64_t n)
{
	arch_irq_disable();
	arch_alarm_arm(arch_ticks() + arch_ticks_hz() / 500000);
	arch_ipi_send(arch_hart());
	delay(n);
	uint64_t start = time_now();
	arch_wait();
	return time_now() - start;
}

GUEST_TEST(idle, nmi_in_wait, "no interrupt is slept over when an NMI comes between sti and hlt")
{
	uint64_t most = 0;
	guest_profile_off();
	if (!guest_exact() || go_harts() > 1) {
		guest_skip("where an NMI comes is exact only when instructions are counted, on one hart");
		return;
	}
	preempt_disable();
	bool was = arch_irq_save(), alarm = arch_alarm_enter();
	for (uint64_t n = 1; alarm && n <= ROUNDS; n++) {
		uint64_t ns = wait_with_nmi(n);
		most = ns > most ? ns : most;
	}
	arch_irq_restore(was);
	preempt_enable();
	if (!alarm)
		guest_skip("no timer of this machine interrupts as an NMI");
	guest_note("at most %llu ns", (unsigned long long)most);
	CHECK(most < LATE_NS);
}
