#include "kernel/device.h"

#include "kernel/hart.h"
#include "kernel/lock.h"
#include "kernel/preempt.h"

static struct spinlock device_lock =
	SPINLOCK_INIT(RANK_DEVICES);     /* protects who adds to the list, and the interrupt controller */
static _Atomic(struct device *) devices; /* by next; one that is in it stays */
_Atomic bool devices_wanted;
_Atomic uint64_t device_irqs;

bool device_add(struct device *d)
{
	bool shared = false;
	spin_lock(&device_lock);
	for (struct device *o = atomic_load_explicit(&devices, memory_order_relaxed); o != NULL; o = o->next)
		shared |= o->line.number == d->line.number;
	d->next = atomic_load_explicit(&devices, memory_order_relaxed);
	/* Before the line is open: its first interrupt finds it. Pairs with the acquire in upcall_device_irq() and devices_run_sys(). */
	atomic_store_explicit(&devices, d, memory_order_release);
	bool ok = shared || arch_irq_open(d->line);
	if (!ok)
		atomic_store_explicit(&devices, d->next, memory_order_relaxed);
	spin_unlock(&device_lock);
	return ok;
}

void upcall_device_irq(uint32_t line)
{
	bool any = false;
	/* pairs with the release in device_add() */
	for (struct device *d = atomic_load_explicit(&devices, memory_order_acquire); d != NULL;
	     d = d->next) {
		if (d->line.number == line && d->irq(d)) {
			/* pairs with the acquire in devices_run_sys(), on a hart that came by for another device: what irq() did */
			atomic_store_explicit(&d->wanted, true, memory_order_release);
			any = true;
		}
	}
	if (any) {
		struct hart *h = arch_hart();
		/* pairs with the acquire in devices_run_sys() */
		atomic_store_explicit(&devices_wanted, true, memory_order_release);
		atomic_store_explicit(&h->timers_hit, true, memory_order_relaxed);
		hart_ask_irq(h);
	}
	atomic_store_explicit(&device_irqs, atomic_load_explicit(&device_irqs, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

void devices_run_sys(void)
{
	/* Any hart may come by; the exchange gives each its own work. What is noted behind it comes with another interrupt's timers_hit. Pairs
	 * with the release in upcall_device_irq(). */
	if (!atomic_exchange_explicit(&devices_wanted, false, memory_order_acquire))
		return;
	/* pairs with the release in device_add() */
	for (struct device *d = atomic_load_explicit(&devices, memory_order_acquire); d != NULL; d = d->next)
		/* pairs with the release in upcall_device_irq() */
		if (atomic_exchange_explicit(&d->wanted, false, memory_order_acquire))
			d->service(d);
}
