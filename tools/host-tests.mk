# The pure modules, built natively with the sanitizers and run: `make host-tests`. Included by the top Makefile.
#
#	host-tests          builds, then runs everything that needs no guest
#	host-tests-build    builds, and writes the list for tests/run-tests: $(HOST_TEST_LIST)
#
# NAME_SOURCES are what tests/host/NAME.c links beside the harness, NAME_LIBS its libraries. A name in HOST_STUB_TESTS (HOST_SCHED_TESTS,
# HOST_TIMER_TESTS, HOST_G_TESTS, HOST_SYNC_TESTS, HOST_CHAN_TESTS) finds the headers of tests/host/stub (stub_sched, stub_timer or stub_g, each
# with stub_lock; stub_sync, stub_chan) before the kernel's. FUZZ_SECONDS: for each fuzz target.

HOST := $(BUILD)/host
HOST_TEST_LIST := $(HOST)/tests.list
FUZZ_SECONDS ?= $(if $(filter 1,$(FULL)),60,5)

SYMTAB_READER := $(addprefix kernel/, symtab.c symtab_frames.c symtab_table.c crc32.c)
HEAP_SOURCES := $(addprefix kernel/, heap.c large.c slab.c size_class.c page.c buddy.c) tests/host/host_lock.c
HBDUMP_PARTS := $(addprefix tools/hbdump/, lines.c parse.c store.c store_ask.c)
HBDUMP_PROFILE := kernel/base64.c prof/page/flame_page.c $(addprefix tools/hbdump/, flame.c gunzip.c profile.c vector.c)
HBDUMP_TRACE := $(addprefix tools/hbdump/, gunzip.c pairs.c trace_check.c trace_draw.c trace_event.c trace_file.c trace_mend.c trace_order.c trace_ranges.c trace_samples.c \
	trace_states.c trace_summary.c vector.c)
FRAMING_SOURCES := $(addprefix kernel/, base64.c crc32.c framing.c)

HOST_TESTS := test_answer test_builder test_edit test_expo test_fdt test_fdt_pci test_framing test_gzip test_hbdump test_http test_memory test_options test_pool_chain test_pprof \
	test_profile \
	test_pvh \
	test_resend \
	test_sample_ring \
	test_symtab test_text test_top test_trace_check test_unwind test_unwind_trail
HOST_STUB_TESTS := test_heap test_malloc test_page
HOST_SCHED_TESTS := test_runq
HOST_TIMER_TESTS := test_ktimer
HOST_G_TESTS := test_g test_shrink test_stacks test_trace_buf test_trace_table
HOST_SYNC_TESTS := test_sync
HOST_CHAN_TESTS := test_chan
# Run once more with the thread sanitizer.
HOST_TSAN_TESTS := test_pool_chain test_sample_ring
HOST_TSAN_STUB_TESTS := test_heap test_page
HOST_TSAN_SCHED_TESTS := test_runq
HOST_TSAN_G_TESTS := test_stacks test_trace_buf
HOST_TSAN_TIMER_TESTS := test_ktimer
HOST_TSAN_SYNC_TESTS := test_sync
HOST_TSAN_CHAN_TESTS := test_chan
HOST_FUZZ := fuzz_edit fuzz_fdt fuzz_hbdump fuzz_http fuzz_options fuzz_profile fuzz_pvh fuzz_trace

test_answer_SOURCES := kernel/sink.c prof/serve/answer.c prof/serve/http.c
test_builder_SOURCES := prof/builder.c prof/intern.c
test_chan_SOURCES := $(addprefix sched/, chan.c chan_wait.c select.c)
test_edit_SOURCES := prof/serve/edit.c
test_expo_SOURCES := prof/expo.c
test_expo_LIBS := -lm
test_fdt_SOURCES := tests/host/fdt_builder.c tests/host/boot_sane.c $(addprefix boot/, info.c fdt.c fdt_info.c fdt_pci.c line.c)
test_fdt_pci_SOURCES := tests/host/fdt_builder.c $(addprefix boot/, fdt.c fdt_pci.c line.c)
test_g_SOURCES := sched/area.c sched/g.c tests/host/host_spin.c
test_framing_SOURCES := $(FRAMING_SOURCES) tools/hbdump/lines.c tools/hbdump/parse.c
test_gzip_SOURCES := prof/gzip.c
test_gzip_LIBS := -lz
test_hbdump_SOURCES := $(FRAMING_SOURCES) $(HBDUMP_PARTS) tests/host/store_memory.c
test_heap_SOURCES := $(HEAP_SOURCES)
test_ktimer_SOURCES := $(addprefix kernel/, ktimer.c timer_heap.c) tests/host/host_spin.c
test_malloc_SOURCES := $(HEAP_SOURCES)
test_memory_SOURCES :=
test_options_SOURCES := $(addprefix boot/, options.c option_value.c line.c)
test_page_SOURCES := $(addprefix kernel/, page.c buddy.c) tests/host/host_lock.c
test_pool_chain_SOURCES := sched/pool_chain.c
test_pprof_SOURCES := tests/host/pprof_reader.c $(addprefix prof/, builder.c intern.c protobuf.c pprof.c)
test_profile_SOURCES := tests/host/pprof_reader.c $(addprefix prof/, builder.c intern.c protobuf.c pprof.c) $(HBDUMP_PROFILE)
test_profile_LIBS := -lz
test_pvh_SOURCES := tests/host/pvh_image.c tests/host/boot_sane.c $(addprefix boot/, info.c pvh.c acpi.c line.c)
test_resend_SOURCES := $(test_hbdump_SOURCES)
test_runq_SOURCES := sched/runq.c tests/host/host_spin.c
test_sample_ring_SOURCES := trace/sample_ring.c
test_shrink_SOURCES := sched/shrink.c
test_stacks_SOURCES := prof/stacks.c tests/host/host_spin.c
test_sync_SOURCES := $(addprefix sched/, cond.c mutex.c rwmutex.c semaphore.c waitgroup.c)
test_symtab_SOURCES := $(SYMTAB_READER) kernel/unwind.c tests/host/symtab_corpus/build.c
test_symtab_LIBS := -ldw -lelf
test_text_SOURCES := $(addprefix prof/, builder.c intern.c text.c)
test_top_SOURCES := $(addprefix prof/, builder.c intern.c decimal.c top.c)
test_trace_buf_SOURCES := trace/buf.c trace/map.c tests/host/host_spin.c
test_trace_check_SOURCES := tests/host/trace_text.c $(HBDUMP_TRACE)
test_trace_check_LIBS := -lz
test_trace_table_SOURCES := trace/table.c
test_unwind_SOURCES := $(test_symtab_SOURCES)
test_unwind_LIBS := -ldw -lelf
test_unwind_trail_SOURCES := $(test_symtab_SOURCES) kernel/unwind_trail.c
test_unwind_trail_LIBS := -ldw -lelf
fuzz_edit_SOURCES := $(test_edit_SOURCES)
fuzz_fdt_SOURCES := $(test_fdt_SOURCES)
fuzz_hbdump_SOURCES := $(test_hbdump_SOURCES)
test_http_SOURCES := prof/serve/http.c
fuzz_http_SOURCES := $(test_http_SOURCES)
fuzz_options_SOURCES := $(test_options_SOURCES)
fuzz_profile_SOURCES := $(HBDUMP_PROFILE)
fuzz_profile_LIBS := -lz
fuzz_pvh_SOURCES := $(test_pvh_SOURCES)
fuzz_trace_SOURCES := $(test_trace_check_SOURCES)
fuzz_trace_LIBS := -lz

# ---- kinds of build: a folder of objects and programs each, sources shared between the tests of a kind ---------------

HOST_CODE := -std=gnu11 -O1 -g -fno-omit-frame-pointer -Wall -Wextra -Wshadow -Wmissing-prototypes -Werror
HOST_ASAN := gcc $(HOST_CODE) -fsanitize=address,undefined -fno-sanitize-recover=all
HOST_TSAN := gcc $(HOST_CODE) -fsanitize=thread
HOST_PATHS := -I. -Iinclude -I$(BUILD)

HOST_COMPILE_asan = $(HOST_ASAN) $(HOST_PATHS)
HOST_COMPILE_asan_stub = $(HOST_ASAN) -Itests/host/stub $(HOST_PATHS)
HOST_COMPILE_asan_sched = $(HOST_ASAN) -Itests/host/stub_sched -Itests/host/stub_lock $(HOST_PATHS)
HOST_COMPILE_asan_g = $(HOST_ASAN) -Itests/host/stub_g -Itests/host/stub_lock $(HOST_PATHS)
HOST_COMPILE_tsan_g = $(HOST_TSAN) -Itests/host/stub_g -Itests/host/stub_lock $(HOST_PATHS)
HOST_COMPILE_asan_timer = $(HOST_ASAN) -Itests/host/stub_timer -Itests/host/stub_lock $(HOST_PATHS)
HOST_COMPILE_asan_sync = $(HOST_ASAN) -Itests/host/stub_sync $(HOST_PATHS)
HOST_COMPILE_tsan_timer = $(HOST_TSAN) -Itests/host/stub_timer -Itests/host/stub_lock $(HOST_PATHS)
HOST_COMPILE_tsan_sync = $(HOST_TSAN) -Itests/host/stub_sync $(HOST_PATHS)
HOST_COMPILE_asan_chan = $(HOST_ASAN) -Itests/host/stub_chan $(HOST_PATHS)
HOST_COMPILE_tsan_chan = $(HOST_TSAN) -Itests/host/stub_chan $(HOST_PATHS)
HOST_COMPILE_tsan = $(HOST_TSAN) $(HOST_PATHS)
HOST_COMPILE_tsan_stub = $(HOST_TSAN) -Itests/host/stub $(HOST_PATHS)
HOST_COMPILE_tsan_sched = $(HOST_TSAN) -Itests/host/stub_sched -Itests/host/stub_lock $(HOST_PATHS)
HOST_COMPILE_fuzz = $$(cat $(HOST)/fuzz/compiler) $(HOST_PATHS)
HOST_LINK_asan := $(HOST_ASAN)
HOST_LINK_asan_stub := $(HOST_ASAN)
HOST_LINK_asan_sched := $(HOST_ASAN)
HOST_LINK_asan_g := $(HOST_ASAN)
HOST_LINK_tsan_g := $(HOST_TSAN)
HOST_LINK_asan_timer := $(HOST_ASAN)
HOST_LINK_asan_sync := $(HOST_ASAN)
HOST_LINK_tsan_timer := $(HOST_TSAN)
HOST_LINK_tsan_sync := $(HOST_TSAN)
HOST_LINK_asan_chan := $(HOST_ASAN)
HOST_LINK_tsan_chan := $(HOST_TSAN)
HOST_LINK_tsan := $(HOST_TSAN)
HOST_LINK_tsan_stub := $(HOST_TSAN)
HOST_LINK_tsan_sched := $(HOST_TSAN)
HOST_LINK_fuzz = $$(cat $(HOST)/fuzz/linker)
HOST_HARNESS := tests/host/check_main.c tests/host/host_panic.c

# A test that takes a kernel file under names of its own: the compiler must not know the C library's by them.
HOST_FLAGS_tests/host/test_memory.c := -fno-builtin
# Reads the memory of the process it steps: process_vm_readv().
HOST_FLAGS_tests/host/test_unwind.c := -D_GNU_SOURCE

define host_kind # KIND, NAMES, HARNESS
HOST_PROGRAMS += $(2:%=$(HOST)/$(1)/%)
$(HOST)/$(1)/obj/%.c.o: %.c | $(PACKAGES_TEST_STAMP)
	@mkdir -p $$(@D)
	@$$(HOST_COMPILE_$(1)) $$(HOST_FLAGS_$$<) -MMD -MP -c $$< -o $$@
-include $$(foreach n,$(2),$$(patsubst %,$(HOST)/$(1)/obj/%.d,tests/host/$$(n).c $$($$(n)_SOURCES) $(3)))
$(foreach n,$(2),$(call host_program,$(1),$(n),tests/host/$(n).c $($(n)_SOURCES) $(3)))
endef

define host_program # KIND, NAME, SOURCES

$(HOST)/$(1)/$(2): $(3:%=$(HOST)/$(1)/obj/%.o)
	@echo "  LD  host  $(1)/$(2)"
	@$$(HOST_LINK_$(1)) $$(filter %.o,$$^) $($(2)_LIBS) -lpthread -o $$@

endef

HOST_PROGRAMS :=
$(eval $(call host_kind,asan,$(HOST_TESTS),$(HOST_HARNESS)))
# The reader itself, for the tests that run it as a command.
HOST_PROGRAMS += $(HOST)/asan/hbdump
hbdump_LIBS := -lz
-include $(HBDUMP_SOURCES:%.c=$(HOST)/asan/obj/%.d)
$(eval $(call host_program,asan,hbdump,$(HBDUMP_SOURCES)))
$(HOST)/asan/obj/prof/page/flame_page.c.o $(HOST)/fuzz/obj/prof/page/flame_page.c.o: $(FLAME_HALVES)
$(eval $(call host_kind,asan_stub,$(HOST_STUB_TESTS),$(HOST_HARNESS)))
$(eval $(call host_kind,asan_sched,$(HOST_SCHED_TESTS),$(HOST_HARNESS)))
$(eval $(call host_kind,tsan,$(HOST_TSAN_TESTS),$(HOST_HARNESS)))
$(eval $(call host_kind,tsan_stub,$(HOST_TSAN_STUB_TESTS),$(HOST_HARNESS)))
$(eval $(call host_kind,asan_g,$(HOST_G_TESTS),$(HOST_HARNESS)))
$(eval $(call host_kind,tsan_g,$(HOST_TSAN_G_TESTS),$(HOST_HARNESS)))
$(eval $(call host_kind,asan_timer,$(HOST_TIMER_TESTS),$(HOST_HARNESS)))
$(eval $(call host_kind,asan_sync,$(HOST_SYNC_TESTS),$(HOST_HARNESS)))
$(eval $(call host_kind,tsan_timer,$(HOST_TSAN_TIMER_TESTS),$(HOST_HARNESS)))
$(eval $(call host_kind,tsan_sync,$(HOST_TSAN_SYNC_TESTS),$(HOST_HARNESS)))
$(eval $(call host_kind,asan_chan,$(HOST_CHAN_TESTS),$(HOST_HARNESS)))
$(eval $(call host_kind,tsan_chan,$(HOST_TSAN_CHAN_TESTS),$(HOST_HARNESS)))
$(eval $(call host_kind,tsan_sched,$(HOST_TSAN_SCHED_TESTS),$(HOST_HARNESS)))
$(eval $(call host_kind,fuzz,$(HOST_FUZZ),tests/host/host_panic.c))

# libFuzzer where clang can link it, else the driver in tests/host/fuzz_main.c. The answer is kept: it changes with the packages.
$(HOST)/fuzz/compiler $(HOST)/fuzz/linker &: tools/host-tests.mk | $(PACKAGES_TEST_STAMP)
	@mkdir -p $(HOST)/fuzz
	@if echo 'int LLVMFuzzerTestOneInput(void); int LLVMFuzzerTestOneInput(void) { return 0; }' | \
		clang -fsanitize=fuzzer,address,undefined -x c - -o $(HOST)/fuzz/probe 2>/dev/null; then \
		echo 'clang $(HOST_CODE) -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all'; \
		echo 'clang -g -fsanitize=fuzzer,address,undefined' > $(HOST)/fuzz/linker; \
	else \
		echo "  --  no libFuzzer here: the fuzz targets run with tests/host/fuzz_main.c" >&2; \
		echo '$(HOST_ASAN)'; \
		echo '$(HOST_ASAN) tests/host/fuzz_main.c' > $(HOST)/fuzz/linker; \
	fi > $(HOST)/fuzz/compiler
	@rm -f $(HOST)/fuzz/probe
$(foreach n,$(HOST_FUZZ),$(foreach s,tests/host/$(n).c $($(n)_SOURCES) tests/host/host_panic.c,$(HOST)/fuzz/obj/$(s).o)): \
	$(HOST)/fuzz/compiler $(HOST)/fuzz/linker
# What was found interesting is kept, so that each run starts where the last one ended.
HOST_FUZZ_ARGS = $(if $(findstring clang,$(file <$(HOST)/fuzz/compiler)),-max_total_time=$(FUZZ_SECONDS) -max_len=65536 -timeout=10 \
	-rss_limit_mb=1024 -verbosity=0 -print_final_stats=1 -artifact_prefix=$(HOST)/fuzz/found- $(HOST)/fuzz/corpus-,$(FUZZ_SECONDS) #)

# ---- the list -------------------------------------------------------------------------------------------------------------

# The symbol table's tests compile a corpus of their own for both architectures, with these compilers.
# libdw, the judge, keeps what it allocated.
HOST_SYMTAB_ENV := ASAN_OPTIONS=detect_leaks=0 SYMTAB_TOOL=$(BUILD)/tools/symtab X86_64_CC=$(CC_x86_64) RISCV64_CC=$(CC_riscv64)
# Seconds. The longest takes half a minute, with the thread sanitizer on two processors.
HOST_TIMEOUT := 180

.PHONY: host-tests host-tests-build
host-tests-build: $(HOST_PROGRAMS) $(BUILD)/tools/symtab $(BUILD)/tools/hbdump $(GOROOT_FILE)
	@mkdir -p $(HOST_FUZZ:%=$(HOST)/fuzz/corpus-%)
	@{ echo "# Made by tools/host-tests.mk."; echo "@tap"; echo "@timeout $(HOST_TIMEOUT)"; \
	$(foreach n,$(HOST_TESTS),echo "$(n:test_%=host-%) $(if $(findstring -ldw,$($(n)_LIBS)),$(HOST_SYMTAB_ENV)) $(HOST)/asan/$(n)";) \
	$(foreach n,$(HOST_STUB_TESTS),echo "$(n:test_%=host-%) $(HOST)/asan_stub/$(n)";) \
	$(foreach n,$(HOST_SCHED_TESTS),echo "$(n:test_%=host-%) $(HOST)/asan_sched/$(n)";) \
	$(foreach n,$(HOST_TSAN_TESTS),echo "tsan-$(n:test_%=%) TSAN_OPTIONS=halt_on_error=1 $(HOST)/tsan/$(n)";) \
	$(foreach n,$(HOST_TSAN_STUB_TESTS),echo "tsan-$(n:test_%=%) TSAN_OPTIONS=halt_on_error=1 $(HOST)/tsan_stub/$(n)";) \
	$(foreach n,$(HOST_G_TESTS),echo "$(n:test_%=host-%) $(HOST)/asan_g/$(n)";) \
	$(foreach n,$(HOST_TSAN_G_TESTS),echo "tsan-$(n:test_%=%) TSAN_OPTIONS=halt_on_error=1 $(HOST)/tsan_g/$(n)";) \
	$(foreach n,$(HOST_TIMER_TESTS),echo "$(n:test_%=host-%) $(HOST)/asan_timer/$(n)";) \
	$(foreach n,$(HOST_SYNC_TESTS),echo "$(n:test_%=host-%) $(HOST)/asan_sync/$(n)";) \
	$(foreach n,$(HOST_TSAN_TIMER_TESTS),echo "tsan-$(n:test_%=%) TSAN_OPTIONS=halt_on_error=1 $(HOST)/tsan_timer/$(n)";) \
	$(foreach n,$(HOST_TSAN_SYNC_TESTS),echo "tsan-$(n:test_%=%) TSAN_OPTIONS=halt_on_error=1 $(HOST)/tsan_sync/$(n)";) \
	$(foreach n,$(HOST_CHAN_TESTS),echo "$(n:test_%=host-%) $(HOST)/asan_chan/$(n)";) \
	$(foreach n,$(HOST_TSAN_CHAN_TESTS),echo "tsan-$(n:test_%=%) TSAN_OPTIONS=halt_on_error=1 $(HOST)/tsan_chan/$(n)";) \
	$(foreach n,$(HOST_TSAN_SCHED_TESTS),echo "tsan-$(n:test_%=%) TSAN_OPTIONS=halt_on_error=1 $(HOST)/tsan_sched/$(n)";) \
	echo "run-tests tests/host/test-run-tests.sh"; \
	echo "setup BUILD=$(BUILD) tests/e2e/test-setup.sh"; \
	echo "hbdump HBDUMP=$(HOST)/asan/hbdump tests/e2e/test-hbdump.sh $(HOST)/hbdump"; \
	echo "flame HBDUMP=$(HOST)/asan/hbdump tests/e2e/test-flame.sh $(HOST)/flame"; \
	echo "check-trace HBDUMP=$(HOST)/asan/hbdump HB_GO=\$$(cat $(GOROOT_FILE))/bin/go tests/e2e/test-check-trace.sh $(HOST)/check-trace"; \
	echo "pprof HB_GO=\$$(cat $(GOROOT_FILE))/bin/go tests/e2e/test-pprof-host.sh $(HOST)/pprof"; \
	echo "@status"; echo "@timeout $$(($(FUZZ_SECONDS) + 120))"; \
	$(foreach n,$(HOST_FUZZ),echo "$(n:fuzz_%=fuzz-%) $(HOST)/fuzz/$(n) $(HOST_FUZZ_ARGS)$(n)";) \
	} > $(HOST_TEST_LIST)

host-tests: host-tests-build
	@tests/run-tests -j 2 -o $(BUILD)/log/tests $(HOST_TEST_LIST)
