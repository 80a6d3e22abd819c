/* The events of one m, by type, and how they are read (see trace_file.h). */
#include <string.h>

#include "tools/hbdump/trace_file.h"

#define ARG(i) (1u << (i))

static const struct trace_spec specs[EV_COUNT] = {
	[EV_PROCS_CHANGE] = {"ProcsChange", 2, ARG(1), 0},
	[EV_PROC_START] = {"ProcStart", 2, 0, 0},
	[EV_PROC_STOP] = {"ProcStop", 0, 0, 0},
	[EV_PROC_STEAL] = {"ProcSteal", 3, 0, 0},
	[EV_PROC_STATUS] = {"ProcStatus", 2, 0, 0},
	[EV_GO_CREATE] = {"GoCreate", 3, ARG(1) | ARG(2), 0},
	[EV_GO_CREATE_SYSCALL] = {"GoCreateSyscall", 1, 0, 0},
	[EV_GO_START] = {"GoStart", 2, 0, 0},
	[EV_GO_DESTROY] = {"GoDestroy", 0, 0, 0},
	[EV_GO_DESTROY_SYSCALL] = {"GoDestroySyscall", 0, 0, 0},
	[EV_GO_STOP] = {"GoStop", 2, ARG(1), ARG(0)},
	[EV_GO_BLOCK] = {"GoBlock", 2, ARG(1), ARG(0)},
	[EV_GO_UNBLOCK] = {"GoUnblock", 3, ARG(2), 0},
	[EV_GO_SYSCALL_BEGIN] = {"GoSyscallBegin", 2, ARG(1), 0},
	[EV_GO_SYSCALL_END] = {"GoSyscallEnd", 0, 0, 0},
	[EV_GO_SYSCALL_END_BLOCKED] = {"GoSyscallEndBlocked", 0, 0, 0},
	[EV_GO_STATUS] = {"GoStatus", 3, 0, 0},
	[EV_STW_BEGIN] = {"STWBegin", 2, ARG(1), ARG(0)},
	[EV_STW_END] = {"STWEnd", 0, 0, 0},
	[EV_GC_ACTIVE] = {"GCActive", 1, 0, 0},
	[EV_GC_BEGIN] = {"GCBegin", 2, ARG(1), 0},
	[EV_GC_END] = {"GCEnd", 1, 0, 0},
	[EV_GC_SWEEP_ACTIVE] = {"GCSweepActive", 1, 0, 0},
	[EV_GC_SWEEP_BEGIN] = {"GCSweepBegin", 1, ARG(0), 0},
	[EV_GC_SWEEP_END] = {"GCSweepEnd", 2, 0, 0},
	[EV_GC_MARK_ASSIST_ACTIVE] = {"GCMarkAssistActive", 1, 0, 0},
	[EV_GC_MARK_ASSIST_BEGIN] = {"GCMarkAssistBegin", 1, ARG(0), 0},
	[EV_GC_MARK_ASSIST_END] = {"GCMarkAssistEnd", 0, 0, 0},
	[EV_HEAP_ALLOC] = {"HeapAlloc", 1, 0, 0},
	[EV_HEAP_GOAL] = {"HeapGoal", 1, 0, 0},
	[EV_GO_LABEL] = {"GoLabel", 1, 0, ARG(0)},
	[EV_TASK_BEGIN] = {"UserTaskBegin", 4, ARG(3), ARG(2)},
	[EV_TASK_END] = {"UserTaskEnd", 2, ARG(1), 0},
	[EV_REGION_BEGIN] = {"UserRegionBegin", 3, ARG(2), ARG(1)},
	[EV_REGION_END] = {"UserRegionEnd", 3, ARG(2), ARG(1)},
	[EV_LOG] = {"UserLog", 4, ARG(3), ARG(1) | ARG(2)},
	[EV_GO_SWITCH] = {"GoSwitch", 2, 0, 0},
	[EV_GO_SWITCH_DESTROY] = {"GoSwitchDestroy", 2, 0, 0},
	[EV_GO_CREATE_BLOCKED] = {"GoCreateBlocked", 3, ARG(1) | ARG(2), 0},
	[EV_GO_STATUS_STACK] = {"GoStatusStack", 4, ARG(3), 0},
};

const struct trace_spec *trace_spec(unsigned type)
{
	return type < EV_COUNT && specs[type].name != NULL ? &specs[type] : NULL;
}

bool trace_uvarint(struct trace_bytes *b, uint64_t *v)
{
	*v = 0;
	for (unsigned shift = 0; shift < 70 && b->at < b->end; shift += 7) {
		uint8_t byte = b->data[b->at++];
		if (shift == 63 && byte > 1)
			return false;
		*v |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return true;
	}
	return false;
}

const char *trace_event_read(const struct trace_file *f, struct trace_bytes *b, uint64_t *time,
			     struct trace_event *ev)
{
	uint64_t dt;
	*ev = (struct trace_event){.at = b->at};
	if (b->at == b->end)
		return NULL;
	unsigned type = b->data[b->at++];
	const struct trace_spec *spec = trace_spec(type);
	if (spec == NULL || (f->version < 23 && type > EV_LOG))
		return "no event of that type may stand here";
	if (!trace_uvarint(b, &dt))
		return "the time is cut short or has more than 64 bits";
	if (dt > UINT64_MAX - *time)
		return "the time leaves 64 bits";
	*time += dt;
	ev->time = *time;
	for (unsigned i = 0; i < spec->args; i++)
		if (!trace_uvarint(b, &ev->args[i]))
			return "an argument is cut short or has more than 64 bits";
	ev->type = (uint8_t)type;
	return NULL;
}
