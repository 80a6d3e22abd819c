# What the build needs from outside, as stamp files made by tools/setup.
#
# Included by the top Makefile, which defines BUILD. A rule that needs one of these names its stamp as a prerequisite:
#   $(PICOLIBC_STAMP) $(ZLIB_STAMP)   headers and library for $(ARCH); the stamp's time moves only when the library does
#   $(OPENSBI_STAMP) $(GO_STAMP)      firmware for QEMU; $(GOROOT_FILE) holds the GOROOT to use
#   $(PACKAGES_STAMP) $(PACKAGES_TEST_STAMP)
# A set-up that fails leaves no stamp. tools/setup locks, so these may be asked for in parallel. When a part of tools/setup
# is newer than a stamp it is run, finds out in milliseconds whether the recipe changed, and if not leaves the stamp alone.

DEPS := $(BUILD)/deps
SETUP_SH := $(dir $(lastword $(MAKEFILE_LIST)))setup
SETUP_D := $(SETUP_SH).d

PACKAGES_STAMP := $(DEPS)/packages.stamp
PACKAGES_TEST_STAMP := $(DEPS)/packages-test.stamp
OPENSBI_STAMP := $(DEPS)/opensbi/.stamp
GO_STAMP := $(DEPS)/go/.stamp
PICOLIBC_STAMP := $(DEPS)/$(ARCH)/picolibc/.stamp
ZLIB_STAMP := $(DEPS)/$(ARCH)/zlib/.stamp

OPENSBI_FW := $(DEPS)/opensbi/fw_dynamic.bin
GOROOT_FILE := $(DEPS)/go/goroot
PICOLIBC := $(DEPS)/$(ARCH)/picolibc
ZLIB := $(DEPS)/$(ARCH)/zlib

# The set-up finds its folder from the repository's root; make's is the current folder.
run_setup = BUILD=$(abspath $(BUILD)) $(SETUP_SH)

# A $(BUILD) that was kept while the machine was not (a container) has stamps for packages that are gone: look again when a
# program is not where Debian puts it.
DEPS_PROGRAMS := qemu-system-riscv64 qemu-system-x86_64 riscv64-unknown-elf-gcc gcc meson ninja
ifneq ($(words $(wildcard $(DEPS_PROGRAMS:%=/usr/bin/%))),$(words $(DEPS_PROGRAMS)))
$(PACKAGES_STAMP): deps-look-again
endif
.PHONY: deps-look-again
deps-look-again:

$(PACKAGES_STAMP): $(SETUP_D)/packages.sh
	@$(run_setup) packages

$(PACKAGES_TEST_STAMP): $(SETUP_D)/packages.sh
	@$(run_setup) packages-test

$(DEPS)/riscv64/picolibc/.stamp $(DEPS)/x86_64/picolibc/.stamp: $(DEPS)/%/picolibc/.stamp: $(SETUP_D)/picolibc.sh \
		| $(PACKAGES_STAMP)
	@$(run_setup) picolibc-$*

$(DEPS)/riscv64/zlib/.stamp $(DEPS)/x86_64/zlib/.stamp: $(DEPS)/%/zlib/.stamp: $(SETUP_D)/zlib.sh \
		| $(DEPS)/%/picolibc/.stamp
	@$(run_setup) zlib-$*

$(OPENSBI_STAMP) $(GO_STAMP): $(DEPS)/%/.stamp: $(SETUP_D)/prebuilt.sh
	@$(run_setup) $*

# The results by name. They are older than their stamp, so the recipes run always; they act when a result was deleted.
$(OPENSBI_FW): $(OPENSBI_STAMP)
	@test -f $@ || $(run_setup) opensbi
$(GOROOT_FILE): $(GO_STAMP)
	@test -f $@ || $(run_setup) go
$(PICOLIBC)/lib/libc.a: $(PICOLIBC_STAMP)
	@test -f $@ || $(run_setup) picolibc-$(ARCH)
$(ZLIB)/libz.a: $(ZLIB_STAMP)
	@test -f $@ || $(run_setup) zlib-$(ARCH)
