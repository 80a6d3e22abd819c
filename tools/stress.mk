# make stress [SECONDS=600] [ARCH=...] [SEED=N]: the stress image on 1 to 8 harts in turn, then twice with a tick on any instruction (a run that
# can be had again from its seed). SECONDS is for each architecture, in all. Included by the top Makefile; make test has a short form.

SECONDS ?= 600
STRESS_HARTS := 1 2 3 4 5 6 7 8
STRESS_LIST := $(BUILD)/test/stress.list
random_seed = $(or $(SEED),$(shell od -An -N4 -tu4 /dev/urandom | tr -d ' '))
# A tenth of the seconds for each run. Counted instructions are some 10 times slower than the machine's clock.
stress_ms = $(shell echo $$(($(1) * 100)))
stress_exact_ms = $(shell echo $$(($(1) * 10)))
# ARCH, HARTS, MILLISECONDS, SEED, SETTINGS, NAME
stress_line = stress-$(1)-$(6) make -s run APP=tests/stress ARCH=$(1) SMP=$(2) MEM=1G $(5) BOOT=prof.cpu=off ARGS='ms=$(3) seed=$(4)' \
	BUILD=$(BUILD) OUT=$(BUILD)/test/stress-$(1)-$(6) TIMEOUT=0
# ARCH, SECONDS
stress_lines = $(foreach h,$(STRESS_HARTS),echo "$(call stress_line,$(1),$h,$(call stress_ms,$(2)),$(call random_seed),,$h)";) \
	$(foreach h,1 4,echo "$(call stress_line,$(1),$h,$(call stress_exact_ms,$(2)),$(call random_seed),DETERMINISTIC=1,exact-$h)";)

.PHONY: stress
stress: $(BUILD)/tools/hbdump $(OPENSBI_FW)
	@$(foreach a,$(TEST_ARCHES),$(MAKE) ARCH=$(a) APP=tests/stress all &&) true
	@mkdir -p $(BUILD)/test
	@{ echo "@tap"; echo "@jobs 1"; echo "@timeout $$(($(SECONDS) + 300))"; $(foreach a,$(TEST_ARCHES),$(call stress_lines,$(a),$(SECONDS))) } > $(STRESS_LIST)
	@env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS tests/run-tests -o $(BUILD)/log/stress $(STRESS_LIST)
