/*
 * The program: main() in the first goroutine, between the start and the stop of its CPU profile.
 *
 * The end, whoever asks for it (return from main, exit()): standard streams are flushed, the CPU profile is stopped and sent, the table of
 * the ten most expensive functions printed, what was not freed if that was asked for, the other profiles that are on sent, then "hb: exit N" and QEMU's status. A panic takes its own way (kernel/panic.c).
 */
#include "boot/program.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hartbeat/go.h>
#include <hartbeat/prof.h>
#include <hartbeat/prof_rates.h>
#include <hartbeat/profile.h>
#include <hartbeat/trace.h>

#include "arch/arch.h"
#include "boot/boot.h"
#include "boot/option_value.h"
#include "boot/options.h"
#include "kernel/clock.h"
#include "kernel/console.h"
#include "kernel/dump.h"
#include "kernel/exit.h"
#include "kernel/hart.h"
#include "kernel/keep.h"
#include "kernel/page.h"
#include "kernel/print.h"
#include "kernel/symtab.h"
#include "kernel/system.h"
#include "kernel/uart.h"
#include "kernel/virtio.h"
#include "prof/prof.h"
#include "sched/sched.h"
#include "trace/trace.h"

enum { TOP_ROWS = 10, LEAK_ROWS = 20 };

int main(int argc, char **argv);

static bool prof_cpu = true, prof_goroutine_end = true, trace_wanted;
static char flight_text[32] = "off";
static uint64_t prof_hz = 100;
static uint64_t prof_wall_hz = 10;
static uint64_t heap_rate = 512 << 10, block_rate = 10000,
		mutex_fraction = 10; /* with prof.cpu=off: only if given */
static char input_name[256] = "input";
static char app_name[64] = "hartbeat";
static bool boot_quiet, live, console, crash_dump = true;
static uint64_t console_keep = 4 << 20, live_memory = 16 << 20;
static char live_token[SERVE_TOKEN_MAX];
static char deadlock_word[16] = "report";
static uint64_t sched_seed, debug_preempt;

enum { OPTION_WALL };

static struct option options[] = {
	[OPTION_WALL] = {.name = "prof.wall",
			 .type = OPTION_U64,
			 .value = &prof_wall_hz,
			 .min = 0,
			 .max = 1000,
			 .help = "wall-clock samples a second, 0: none; unless given, none without prof.cpu"},
	{.name = "prof.cpu",
	 .type = OPTION_BOOL,
	 .value = &prof_cpu,
	 .help = "profile the program from start to end"},
	{.name = "prof.goroutine",
	 .type = OPTION_BOOL,
	 .value = &prof_goroutine_end,
	 .help = "send the goroutine profile when the program ends"},
	{.name = "prof.hz",
	 .type = OPTION_U64,
	 .value = &prof_hz,
	 .min = 1,
	 .max = 10000,
	 .help = "samples a second and hart"},
	{.name = "heap.rate",
	 .type = OPTION_BYTES,
	 .value = &heap_rate,
	 .min = 0,
	 .max = 1ull << 40,
	 .help = "heap profile: one sampled allocation for so many bytes; 0: none"},
	{.name = "heap.leaks",
	 .type = OPTION_BOOL,
	 .value = &heap_leaks,
	 .help = "print what is still allocated at the end; heap.rate=1 unless given"},
	{.name = "block.rate",
	 .type = OPTION_DURATION,
	 .value = &block_rate,
	 .min = 0,
	 .max = 3600ull * 1000000000,
	 .help = "block profile: waits so long are counted for certain; 0ns: none"},
	{.name = "mutex.fraction",
	 .type = OPTION_U64,
	 .value = &mutex_fraction,
	 .min = 0,
	 .max = 1000000000,
	 .help = "mutex profile: one contention in so many is counted; 0: none"},
	{.name = "prof.label.hart",
	 .type = OPTION_BOOL,
	 .value = &prof_label_hart,
	 .help = "samples have the label hart"},
	{.name = "prof.label.irq",
	 .type = OPTION_BOOL,
	 .value = &prof_label_irq,
	 .help = "samples taken with interrupts off have the label irq=off"},
	{.name = "trace",
	 .type = OPTION_BOOL,
	 .value = &trace_wanted,
	 .help = "trace the program from start to end"},
	{.name = "trace.flight",
	 .type = OPTION_STRING,
	 .value = flight_text,
	 .min = 1,
	 .max = sizeof flight_text,
	 .help = "flight recorder: on, off, or an age and a size as 10s,8M"},
	{.name = "trace.gz", .type = OPTION_BOOL, .value = &trace_gz, .help = "traces leave compressed"},
	{.name = "trace.memory",
	 .type = OPTION_BYTES,
	 .value = &trace_memory_max,
	 .min = 1 << 20,
	 .max = UINT64_C(1) << 40,
	 .help = "all buffers of the trace"},
	{.name = "trace.period",
	 .type = OPTION_DURATION,
	 .value = &trace_period_ns,
	 .min = 0,
	 .max = UINT64_C(3600000000000),
	 .help = "a generation of the trace takes so long"},
	{.name = "watchdog",
	 .type = OPTION_DURATION,
	 .value = &prof_watchdog_ns,
	 .min = 0,
	 .max = UINT64_C(3600000000000),
	 .help = "a hart that keeps interrupts off for so long ends the program, while a CPU profile runs; "
		 "0: none"},
	{.name = "input.name",
	 .type = OPTION_STRING,
	 .value = input_name,
	 .min = 1,
	 .max = sizeof input_name,
	 .help = "name under which fopen finds the INPUT file"},
	{.name = "app.name",
	 .type = OPTION_STRING,
	 .value = app_name,
	 .min = 1,
	 .max = sizeof app_name,
	 .help = "name of the program"},
	{.name = "crash.dump",
	 .type = OPTION_BOOL,
	 .value = &crash_dump,
	 .help = "a report is followed by the goroutines, and what was profiled, as dumps"},
	{.name = "sched.deadlock",
	 .type = OPTION_STRING,
	 .value = deadlock_word,
	 .min = 1,
	 .max = sizeof deadlock_word,
	 .help = "goroutines that wait for each other's mutexes: report or fatal"},
	{.name = "sched.trace",
	 .type = OPTION_U64,
	 .value = &sched_trace_ms,
	 .min = 0,
	 .max = 3600000,
	 .help = "a line about the scheduler every so many ms; 0: none"},
	{.name = "sched.trace.detail",
	 .type = OPTION_BOOL,
	 .value = &sched_trace_detail,
	 .help = "with sched.trace: harts and goroutines too"},
	{.name = "sched.spin",
	 .type = OPTION_DURATION,
	 .value = &sched_spin_ns,
	 .min = 0,
	 .max = 10000000,
	 .help = "a hart without work looks for some so long before it sleeps"},
	{.name = "sched.seed",
	 .type = OPTION_U64,
	 .value = &sched_seed,
	 .min = 0,
	 .max = UINT64_MAX,
	 .help = "picks, steals and slices at random from this seed; 0: none"},
	{.name = "debug.preempt",
	 .type = OPTION_U64,
	 .value = &debug_preempt,
	 .min = 0,
	 .max = 1000000,
	 .help = "preempt at one release of a spinlock in so many; 0: none"},
	{.name = "debug.shrink",
	 .type = OPTION_BOOL,
	 .value = &shrink_always,
	 .help = "give unused stack pages back all the time, and poison them"},
	{.name = "live",
	 .type = OPTION_BOOL,
	 .value = &live,
	 .help = "answer HTTP requests on the ports of a virtio console"},
	{.name = "live.token",
	 .type = OPTION_STRING,
	 .value = live_token,
	 .min = 1,
	 .max = sizeof live_token,
	 .help = "refuse requests without it (Authorization: Bearer TOKEN)"},
	{.name = "live.memory",
	 .type = OPTION_BYTES,
	 .value = &live_memory,
	 .min = 64 << 10,
	 .max = UINT64_C(1) << 30,
	 .help = "all answers that are being made or sent take at most so much"},
	{.name = "console",
	 .type = OPTION_BOOL,
	 .value = &console,
	 .help = "take commands that are typed at the console"},
	{.name = "console.keep",
	 .type = OPTION_BYTES,
	 .value = &console_keep,
	 .min = 0,
	 .max = UINT64_C(1) << 32,
	 .help = "with console=1: so much of the newest dumps is kept, to be sent again"},
	{.name = "boot.quiet", .type = OPTION_BOOL, .value = &boot_quiet, .help = "no banner"},
};

static struct option_table table = {options, sizeof options / sizeof options[0], NULL};
static struct option_args args;

static bool given(const void *value)
{
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		if (options[i].value == value)
			return options[i].given;
	return false;
}

/* Turns on the profiles that a program has by default, or that were asked for. */
static void profiles_start(void)
{
	if (heap_leaks && !given(&heap_rate))
		heap_rate = 1;
	if ((prof_cpu || heap_leaks || given(&heap_rate)) && heap_rate > 0 &&
	    prof_heap_rate_set(heap_rate) != 0)
		print_line("hb: no heap profile");
	if ((prof_cpu || given(&block_rate)) && block_rate > 0 && prof_block_rate_set(block_rate) != 0)
		print_line("hb: no block profile");
	if ((prof_cpu || given(&mutex_fraction)) && mutex_fraction > 0 &&
	    prof_mutex_fraction_set(mutex_fraction) != 0)
		print_line("hb: no mutex profile");
}

/* Sends those that are on as files. */
static void profiles_end(void)
{
	static const struct {
		const char *name, *file;
		uint64_t (*on)(void);
	} all[] = {
		{"heap", "heap.pb.gz", prof_heap_rate},
		{"block", "block.pb.gz", prof_block_rate},
		{"mutex", "mutex.pb.gz", prof_mutex_fraction},
	};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		if (all[i].on() > 0 && profile_dump(all[i].name, 0, all[i].file) != 0)
			print_line("hb: profile %s could not be written: error %d", all[i].file, errno);
}

static void look(void *ctx, const struct builder *b, uint64_t duration_ns)
{
	(void)ctx;
	prof_top(b, duration_ns, TOP_ROWS);
}

static struct {
	bool on;
	uint64_t age, bytes; /* 0: not given */
} flight;

/* trace.flight=on, off or AGE,BYTES */
static void flight_read(void)
{
	struct option part[] = {
		{.type = OPTION_DURATION, .value = &flight.age, .min = 1, .max = UINT64_C(86400000000000)},
		{.type = OPTION_BYTES, .value = &flight.bytes, .min = 1, .max = UINT64_C(1) << 40}};
	char *comma = strchr(flight_text, ',');
	flight.on = strcmp(flight_text, "off") != 0;
	if (!flight.on)
		return;
	if (comma != NULL)
		*comma = '\0';
	bool good = comma != NULL
			    ? option_value_set(&part[0], flight_text) && option_value_set(&part[1], comma + 1)
			    : strcmp(flight_text, "on") == 0;
	if (comma != NULL)
		*comma = ',';
	if (!good)
		boot_fail("boot option 'trace.flight': bad value '%s', on, off, or an age and a size as "
			  "10s,8M expected",
			  flight_text);
}

static void end(int status)
{
	static _Atomic uint32_t ending;
	if (atomic_exchange_explicit(&ending, 1, memory_order_relaxed)) {
		for (;;)
			go_yield();
	}
	if (trace_flight_enabled() && trace_flight_write("flight.out") != 0)
		print_line("hb: no memory for the flight recorder's trace");
	trace_end();
	if (prof_running())
		prof_stop_with("cpu.pb.gz", look, NULL);
	if (prof_wall_running())
		prof_wall_stop("wall.pb.gz");
	if (prof_goroutine_end && profile_dump("goroutine", 0, "goroutine.pb.gz") != 0)
		print_line("hb: the goroutine profile could not be written: error %d", errno);
	profiles_end();
	if (heap_leaks)
		heap_leaks_print(LEAK_ROWS);
	print_line("hb: exit %d", status);
	console_flush();
	arch_exit(exit_code(status));
}

/* What options ask for is linked only into programs that want it: include/hartbeat/serve.h. */
static void serve_needed(const char *option)
{
	if (&serve_room == NULL)
		boot_fail("%s: not in this image; make serve, make run SERVE=1 or #include "
			  "<hartbeat/serve.h> expected",
			  option);
}

/* Before the program, so that it can be asked from its first moment on. */
static void live_start(const struct boot_info *info)
{
	struct virtio_place place;
	const struct serve_options o = {
		.token = live_token, .memory = live_memory, .argc = args.argc, .argv = args.argv};
	struct uart_place uart;
	bool virtio = boot_virtio_find(info, VIRTIO_CONSOLE, &place), second = boot_uart_second(info, &uart);
	const char *error = NULL;
	serve_needed("live=1");
	if (!virtio && !second)
		boot_fail("live=1: no virtio console (QEMU's -device virtio-serial-device or "
			  "virtio-serial-pci expected), and no second UART");
	if (!serve_room.start(&o))
		boot_fail("out of memory: no room for the live port");
	if (virtio)
		error = serve_room.virtio(&place);
	if (error == NULL && second)
		error = serve_room.uart(&uart);
	if (error != NULL)
		boot_fail("live=1: %s", error);
}

static void console_start(const struct boot_info *info)
{
	struct uart_place place;
	serve_needed("console=1");
	if (!boot_uart_console(info, &place))
		boot_fail("console=1: the UART has no interrupt");
	if (!keep_start((size_t)console_keep))
		boot_fail("out of memory: no room to keep dumps");
	const char *error = serve_room.console(&place);
	if (error != NULL)
		boot_fail("console=1: %s", error);
}

void program_run(void *arg)
{
	struct boot_info *info = arg;
	uint64_t ticks = arch_ticks() - info->entry_ticks;
	libc_exit_hook = end;
	const char *refused = symtab_attach();
	if (refused != NULL)
		print_line("hb: %s", refused);
	if (info->warning[0] != '\0')
		print_line("hb: %s", info->warning);
	on_system_stack(page_rest_sys, NULL);
	clock_wall_init();
	dump_init();
	options_register(&table);
	const char *error = options_parse(info->cmdline, app_name, &args);
	if (error != NULL)
		boot_fail("%s", error);
	sched_deadlock_fatal = strcmp(deadlock_word, "fatal") == 0;
	if (!sched_deadlock_fatal && strcmp(deadlock_word, "report") != 0)
		boot_fail("boot option 'sched.deadlock': bad value '%s', report or fatal expected",
			  deadlock_word);
	flight_read();
	if (!shrink_start())
		boot_fail("out of memory: no room for the shrinker");
	prof_image_name = app_name;
	profiles_init();
	crash_dumps(crash_dump);
	libc_input(info->initrd_size > 0 ? (const void *)(uintptr_t)info->initrd_start : NULL,
		   (size_t)info->initrd_size, input_name);
	if (!boot_quiet)
		print_line("hb: %s on %s, %u harts, first goroutine after %lu us", app_name, arch_name(),
			   hart_count, (unsigned long)(clock_from_ticks(ticks) / 1000));
	if (console)
		console_start(info);
	if (live)
		live_start(info);
	if (prof_cpu && prof_start((unsigned)prof_hz) != 0)
		print_line("hb: no memory for a CPU profile");
	if (flight.on && trace_flight_start(flight.age, flight.bytes) != 0)
		print_line("hb: no memory for the flight recorder");
	if (trace_wanted && trace_start("trace.out") != 0)
		print_line("hb: no memory for a trace");
	bool wall = prof_wall_hz > 0 && (prof_cpu || options[OPTION_WALL].given);
	if (wall && prof_wall_start((unsigned)prof_wall_hz) != 0)
		print_line("hb: no memory for a wall-clock profile");
	sched_shake(sched_seed, (uint32_t)debug_preempt);
	sched_trace_start();
	profiles_start();
	exit(main(args.argc, args.argv));
}
