/*
 * The overflow of a counter is a supervisor software event of the firmware (SBI extensions SSE and PMU), which nothing masks: interrupts
 * off, trap entry and the switch are stepped as all else. With instructions counted the counter runs over after a known number of them,
 * so the next one is met by starting it that much ahead. How much is found for each stop anew, from below: a start that came too early is
 * back at the same place, and adds one.
 *
 * Wants QEMU with -cpu rv64,sscofpmf=on -icount shift=0,sleep=off, and OpenSBI 1.6.
 */
#include "no_fp.h"
#include "step.h"

#include <stddef.h>
#include <string.h>

#include "arch/riscv64/csr.h"
#include "arch/riscv64/frame.h"
#include "arch/riscv64/sbi.h"
#include "arch/riscv64/trap.h"
#include "kernel/hart.h"
#include "kernel/preempt.h"

enum {
	SSE_WRITE = 1,
	SSE_DISABLE = 5,
	ATTRIBUTE_PRIORITY = 1,
	ATTRIBUTE_A7 = 9,
	PERIOD_FIRST = 400,
	NMI_LESS =
		8, /* the firmware has sent the event on its way back to us, which was longer than the next one is */
};

/* At offsets that step_entry knows. */
static struct {
	struct arch_frame frame;
	uint64_t stack_top; /* FRAME_SIZE */
	struct hart *hart;  /* gp may be anything */
} area;
static uint8_t stack[32768] __attribute__((aligned(16)));
static uint64_t attribute __attribute__((aligned(8)));

static volatile bool on;
static unsigned long counter;
static uint64_t period = PERIOD_FIRST;

extern const char __trap_start[], __trap_end[];
extern const uintptr_t frame_resume_left; /* switch.S */
void step_entry(void);
void step_hit(struct arch_frame *f);

__asm__("	.text\n"
	"	.balign 4\n"
	"	.type step_entry, @function\n"
	"step_entry:\n"
	"	.irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 18, 19, 20, 21, 22, 23, 24, 25, "
	"26, 27, 28, 29, 30, 31\n"
	"	sd x\\n, 8 * \\n(a7)\n"
	"	.endr\n"
	"	csrr t0, sepc\n"
	"	sd t0, 0(a7)\n"
	"	ld sp, 288(a7)\n"
	"	ld gp, 296(a7)\n"
	"	mv s0, a7\n"
	"	mv a0, a7\n"
	"	call step_hit\n"
	"	mv a7, s0\n"
	"	.irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 18, 19, 20, 21, 22, 23, 24, 25, "
	"26, 27, 28, 29, 30, 31\n"
	"	ld x\\n, 8 * \\n(a7)\n"
	"	.endr\n"
	"	li a7, 0x535345\n"
	"	li a6, 6\n"
	"	ecall\n"
	"	.size step_entry, . - step_entry\n");

_Static_assert(sizeof(struct arch_frame) == 288, "assembly offset");

static uint64_t attribute_get(unsigned number)
{
	sbi_call5(SBI_EXT_SSE, SBI_SSE_READ, SBI_SSE_LOCAL_COUNTER, number, 1, (uintptr_t)&attribute, 0);
	return *(volatile uint64_t *)&attribute;
}

/*
 * From an lr on, how many instructions to run at once: up to and with its sc, which would fail for ever, as a trap between the two takes the
 * reservation away. 1 for all other instructions.
 */
static unsigned together(uintptr_t pc)
{
	const uint32_t amo = 0x2f, lr = 2, sc = 3;
	for (unsigned n = 1; n < 16; n++) {
		uint16_t low = *(const uint16_t *)pc, high = *(const uint16_t *)(pc + 2);
		bool atomic = (low & 0x7f) == amo;
		if (n == 1 && !(atomic && high >> 11 == lr))
			return 1;
		if (atomic && high >> 11 == sc)
			return n;
		pc += (low & 3) == 3 ? 4 : 2;
	}
	return 1;
}

/* The scheduler has no floating-point values. Every other time that it resumes a goroutine from its save area it is made to have some, so that
 * those are saved, and loaded when it comes back. */
static void scheduler_fp(uintptr_t pc)
{
	static unsigned times;
	if (pc == (uintptr_t)arch_switch_frame && times++ % 2 == 0)
		csr_set(sstatus, SSTATUS_FS_CLEAN | SSTATUS_FS_LOW);
}

void step_hit(struct arch_frame *f)
{
	static struct arch_frame last;
	sbi_counter_stop(counter);
	if (!on)
		return;
	/* a6 and a7 are the firmware's here: not compared, and in the record only where call frame information needs one. */
	bool nmi = f->pc - (uintptr_t)nmi_entry < (uintptr_t)(trap_entry - nmi_entry);
	f->x[16] = 0;
	f->x[17] = nmi ? attribute_get(ATTRIBUTE_A7) : 0;
	if (memcmp(&last.x, &f->x, sizeof last.x) == 0) {
		period++;
	} else {
		uintptr_t pc = f->pc;
		last = *f;
		bool trap = (pc >= (uintptr_t)__trap_start && pc < (uintptr_t)__trap_end) ||
			    pc == frame_resume_left;
		struct arch_unwind outer;
		uintptr_t sepc = trap ? attribute_get(SBI_SSE_SEPC) : 0, scratch = csr_read(sscratch);
		bool found = trap && trap_outer(f, sepc, scratch, &outer);
		stop_take(f, found ? &outer : NULL, sepc, scratch);
		period--;
		if (pc == (uintptr_t)nmi_entry)
			period -= NMI_LESS;
		scheduler_fp(pc);
	}
	if (stop_ended())
		return;
	unsigned more = together(f->pc) - 1;
	if (more > 0)
		period++; /* sure to leave the lr */
	period += more;
	sbi_counter_start(counter, period);
	period -= more;
}

const char *step_init(void)
{
	area.stack_top = (uintptr_t)(stack + sizeof stack);
	area.hart = arch_hart();
	if (sbi_call(SBI_EXT_SSE, SBI_SSE_REGISTER, SBI_SSE_LOCAL_COUNTER, (uintptr_t)step_entry,
		     (uintptr_t)&area) != 0 ||
	    sbi_call(SBI_EXT_SSE, SBI_SSE_ENABLE, SBI_SSE_LOCAL_COUNTER, 0, 0) != 0)
		return "the firmware has no counter-overflow event: expected OpenSBI 1.6 and -cpu "
		       "rv64,sscofpmf=on";
	/* The NMI's handler is stepped too: its event's priority is made worse than the overflow's. */
	if (!arch_nmi_enter() || sbi_call(SBI_EXT_SSE, SSE_DISABLE, SBI_SSE_LOCAL_SOFTWARE, 0, 0) != 0)
		return "no NMI";
	attribute = 1;
	sbi_call5(SBI_EXT_SSE, SSE_WRITE, SBI_SSE_LOCAL_SOFTWARE, ATTRIBUTE_PRIORITY, 1,
		  (uintptr_t)&attribute, 0);
	sbi_call(SBI_EXT_SSE, SBI_SSE_ENABLE, SBI_SSE_LOCAL_SOFTWARE, 0, 0);
	sbi_call(SBI_EXT_SSE, SBI_SSE_UNMASK, 0, 0, 0);
	counter = sbi_counter_take();
	if (counter == 0)
		return "no counter that can overflow: expected -cpu rv64,sscofpmf=on";
	return NULL;
}

void step_on(void)
{
	on = true;
	sbi_counter_start(counter, period);
}

void step_off(void)
{
	on = false;
}

/* NMIs. */
void step_traps(void)
{
	preempt_disable();
	bool was = arch_irq_save();
	for (int i = 0; i < 6; i++)
		arch_nmi_send(arch_hart());
	arch_irq_restore(was);
	preempt_enable();
}

void step_variant(unsigned round)
{
	(void)round;
}
