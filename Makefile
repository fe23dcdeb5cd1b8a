# prism - one Makefile, no configure.
#
#   make               build into build/
#   make BUILD=asan    the same with ASan and UBSan, into build-asan/
#   make BUILD=crash   with crash points, for the crash tests, into build-crash/
#   make fuzz-clang    the fuzz targets with libFuzzer, into build-fuzz/fuzz/
#   make check         all tests          make lint    all linters
#   make check-asan    all of them under the sanitizers
#   make check-vm      of them those on Debian's stock kernel, in qemu
#   make check-docker  all command lines that docker runs too, compared
#   make demo          pull an image and run it
#   make bench         the figures, next to the peers that are installed
#   make install DESTDIR= PREFIX=/usr/local
#   V=1 shows the commands, WERROR=1 makes warnings errors, O=DIR builds there.

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

VERSION := 0.1.0
PREFIX  ?= /usr/local
BUILD   ?= release
O       ?= build$(if $(filter-out release,$(BUILD)),-$(BUILD))
CC      := $(if $(filter default,$(origin CC)),gcc,$(CC))
MUSL_CC ?= musl-gcc
PKG     ?= pkg-config
Q       := $(if $(V),,@)
say      = $(if $(V),,@echo "  $(1)	$(patsubst $(O)/%,%,$(2))")

LAYERS  := base store registry runtime cmd

# ---- flags -----------------------------------------------------------------

WARN := -Wall -Wextra -Wshadow -Wvla -Walloca -Wundef -Wformat=2 \
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wpointer-arith -Wwrite-strings -Wcast-qual -Wnull-dereference \
	-Wimplicit-fallthrough -Wdate-time -Wno-missing-field-initializers \
	-Werror=implicit-function-declaration \
	-Werror=incompatible-pointer-types -Werror=int-conversion \
	-Werror=return-type -Werror=format-security
IS_GCC := $(shell $(CC) --version 2>/dev/null | grep -qi clang || echo 1)
ifeq ($(IS_GCC),1)
WARN += -Wlogical-op -Wcast-align=strict -Wduplicated-cond \
	-Wduplicated-branches -Wjump-misses-init
HARDEN_CC := -ftrivial-auto-var-init=zero
endif
ifeq ($(WERROR),1)
WARN += -Werror
endif

HARDEN := -fstack-protector-strong -fstack-clash-protection -fcf-protection \
	-fno-strict-overflow $(HARDEN_CC)
HARDEN_LD := -Wl,-z,relro,-z,now,-z,noexecstack

CPPFLAGS = -I. -I$(O) -D_GNU_SOURCE -DPRISM_VERSION='"$(VERSION)"' \
	-DPRISM_LIBEXEC='"$(PREFIX)/libexec/prism"'
ifeq ($(BUILD),release)
CFLAGS  ?= -O2 -g
else
# To be tested only: half the work for the compiler. Its warnings at -O1 are
# others, and those of the release build are of the same sources.
CFLAGS  ?= -O1 -g1
WARN    := -w
endif
STD     := -std=gnu17

ifeq ($(BUILD),asan)
SAN     := -fsanitize=address,undefined -fno-omit-frame-pointer \
	-fno-sanitize-recover=undefined -DPRISM_CRASH_POINTS
# Each pointer to be relocated is in a page that a start has to touch.
PIE     := -no-pie
else
SAN     :=
PIE     := -pie
FORTIFY := -D_FORTIFY_SOURCE=3
endif
ifeq ($(BUILD),fuzz)
SAN     := -fsanitize=address,undefined,fuzzer-no-link \
	-fno-omit-frame-pointer -fno-sanitize-recover=undefined
FORTIFY :=
endif
ifeq ($(BUILD),crash)
CPPFLAGS += -DPRISM_CRASH_POINTS
endif

ALL_CFLAGS = $(STD) $(CFLAGS) $(WARN) $(HARDEN) $(SAN) $(FORTIFY) -fPIE -MMD -MP

# musl for what must start fast: glibc asks the processor for its features by
# some sixty cpuid instructions before main, 15 us each in a virtual machine.
# Its specs are gcc's, and so is its triplet: clang has one of its own.
MUSL_DIR  := /usr/lib/$(subst -gnu,-musl,$(shell $(MUSL_CC) -dumpmachine))
MUSL_INC  := -idirafter /usr/include \
	-idirafter /usr/include/$(shell $(MUSL_CC) -dumpmachine)
MUSL_CFLAGS = $(STD) $(CFLAGS) $(WARN) -Wno-undef $(HARDEN) $(MUSL_INC) \
	-fPIE -MMD -MP

# ---- sources ---------------------------------------------------------------

# The generators, pid1 and prism-scope are programs of their own.
NOT_LIB  := runtime/seccomp_gen.c $(wildcard runtime/pid1*.c) \
	runtime/cgroup/scope_main.c
# A crowded layer has wings: runtime/net, runtime/cgroup.
src       = $(filter-out $(NOT_LIB),$(sort $(wildcard $(1)/*.c $(1)/*/*.c)))
obj       = $(patsubst %.c,$(O)/%.o,$(call src,$(1)))

# cmd/image_*.c and cmd/image.c are prism-image; what both use is cmd/common_*.c
IMAGE_CMD  := $(filter cmd/image%,$(call src,cmd))
COMMON_CMD := $(filter cmd/common%,$(call src,cmd))
PRISM_CMD  := $(filter-out $(IMAGE_CMD) $(COMMON_CMD),$(call src,cmd))
cmdobj      = $(patsubst %.c,$(O)/%.o,$(1))

# Of libmnl there is no archive: runtime/net/mnl.c has its functions.
LIBS_PRISM := -ljansson -lcap -lseccomp -lnftnl -lz
LIBS_IMAGE := $(shell $(PKG) --libs libcurl libarchive libcrypto libisal \
	libzstd zlib jansson) -lcap -l:libnftnl.a

.PHONY: all install check check-asan check-docker check-vm lint format demo bench \
	deps clean vars
all: $(O)/prism $(O)/prism-image $(O)/prism-scope

# ---- how things are made ---------------------------------------------------

$(O)/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

# Rebuild when the flags change.
$(O)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(CPPFLAGS) $(ALL_CFLAGS)' | cmp -s - $@ || \
		echo '$(CC) $(CPPFLAGS) $(ALL_CFLAGS)' > $@
FORCE:

define layer_lib
$(O)/lib$(1).a: $$(call obj,$(1))
	$$(call say,AR,$$@)
	$(Q)rm -f $$@ && $(AR) rcs $$@ $$^
endef
$(foreach l,base store registry runtime,$(eval $(call layer_lib,$(l))))

# prism is a static program of musl (with the sanitizers, one of glibc). The
# small libraries are Debian's own archives; base/fortify.c has what their
# hardening expects of glibc.
ifeq ($(BUILD),asan)
$(O)/prism: $(call cmdobj,$(PRISM_CMD) $(COMMON_CMD)) $(O)/libstore.a \
		$(O)/libruntime.a $(O)/libbase.a
	$(call say,LD,$@)
	$(Q)$(CC) $(SAN) $(PIE) $(HARDEN_LD) $(LDFLAGS) -o $@ $^ $(LIBS_PRISM:%nftnl=-l:libnftnl.a)
else
# What is for layers and HTTP is prism-image's alone.
MUSL_NOT := base/hash.c $(addprefix store/,confine% decomp.c fsck% ingest.c \
	layerlist.c changes.c newlayer.c skeleton% tarfiles.c tarin.c tarout.c txn.c \
	unpack.c untar%)
MUSL_OBJ := $(patsubst %.c,$(O)/musl/%.o,$(PRISM_CMD) $(COMMON_CMD) \
	$(filter-out $(MUSL_NOT),$(call src,store) $(call src,runtime) \
	$(call src,base)))
MUSL_AR  := $(patsubst -l%,$(shell $(CC) -print-file-name=libjansson.a \
	| xargs dirname)/lib%.a,$(LIBS_PRISM))

$(O)/musl/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,MUSL,$@)
	$(Q)$(MUSL_CC) $(CPPFLAGS) $(MUSL_CFLAGS) -c -o $@ $<

# Members of an archive that nobody asks for stay out.
$(O)/musl/libprism.a: $(MUSL_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(O)/prism: $(O)/musl/cmd/main.o $(O)/musl/libprism.a
	$(call say,LD,$@)
	$(Q)$(CC) -static-pie -nostdlib $(HARDEN_LD) $(LDFLAGS) -o $@ \
		$(MUSL_DIR)/rcrt1.o $(MUSL_DIR)/crti.o \
		$(shell $(CC) -print-file-name=crtbeginS.o) \
		-Wl,--start-group $^ $(MUSL_AR) $(MUSL_DIR)/libc.a -lgcc \
		-Wl,--end-group $(shell $(CC) -print-file-name=crtendS.o) $(MUSL_DIR)/crtn.o
endif

$(O)/prism-image: $(call cmdobj,$(IMAGE_CMD) $(COMMON_CMD)) \
		$(O)/libregistry.a $(O)/libstore.a $(O)/libruntime.a \
		$(O)/libbase.a
	$(call say,LD,$@)
	$(Q)$(CC) $(SAN) $(PIE) $(HARDEN_LD) -Wl,--as-needed $(LDFLAGS) \
		-o $@ $^ $(LIBS_IMAGE)

# Only where an ordinary user asks his systemd for a cgroup.
$(O)/prism-scope: $(O)/runtime/cgroup/scope_main.o $(O)/libbase.a
	$(call say,LD,$@)
	$(Q)$(CC) $(SAN) $(PIE) $(HARDEN_LD) -Wl,--as-needed $(LDFLAGS) \
		-o $@ $^ $(shell $(PKG) --libs libsystemd)

# PID 1 of a container: a small static musl program whose bytes prism carries.
PID1_SRC := runtime/pid1.c runtime/pid1_lock.c base/err.c
$(O)/pid1: $(PID1_SRC) $(wildcard runtime/*.h base/*.h) $(O)/flags
	@mkdir -p $(@D)
	$(call say,MUSL,$@)
	$(Q)$(MUSL_CC) $(STD) -Os $(WARN) -Wno-undef -I. -D_GNU_SOURCE \
		-fno-asynchronous-unwind-tables -ffunction-sections \
		-fdata-sections $(MUSL_INC) \
		-static -s -Wl,--gc-sections,--build-id=none,-z,noexecstack \
		-o $@ $(PID1_SRC)
$(O)/runtime/pid1_blob.h: $(O)/pid1
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)od -An -v -tu1 $< | sed 's/\([0-9][0-9]*\)/\1,/g' > $@

# The default seccomp profile as BPF, compiled now instead of at each start.
$(O)/seccomp_gen: runtime/seccomp_gen.c $(wildcard runtime/seccomp*.h)
	@mkdir -p $(@D)
	$(call say,HOSTCC,$@)
	$(Q)$(CC) $(STD) -O1 -g $(WARN) $(CPPFLAGS) -o $@ $< -lseccomp
$(O)/runtime/seccomp_default.h: $(O)/seccomp_gen
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)$< > $@

$(O)/runtime/seccomp.o $(O)/musl/runtime/seccomp.o: \
		$(O)/runtime/seccomp_default.h
$(O)/runtime/program.o $(O)/musl/runtime/program.o: $(O)/runtime/pid1_blob.h

# ---- tests -----------------------------------------------------------------

UNIT := $(patsubst tests/unit/%.c,$(O)/unit/%,$(wildcard tests/unit/*_test.c))

# The commands without the two mains, for the tests of what stands in cmd/.
$(O)/libcmd.a: $(call cmdobj,$(filter-out cmd/main.c,$(PRISM_CMD) \
		$(COMMON_CMD)))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(O)/unit/%: $(O)/tests/unit/%.o $(O)/libcmd.a $(O)/libstore.a \
		$(O)/libregistry.a $(O)/libruntime.a $(O)/libbase.a
	@mkdir -p $(@D)
	$(call say,TEST,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(PIE) $(HARDEN_LD) $(LDFLAGS) \
		-o $@ $(filter %.o %.a,$^) -lcmocka $(LIBS_IMAGE) \
		-lseccomp
.SECONDARY: $(patsubst %.c,$(O)/%.o,$(wildcard tests/unit/*_test.c))

# The fuzz targets with a plain main that replays files (tests/fuzz/replay.c),
# or with libFuzzer's.
FUZZ := $(patsubst tests/fuzz/%.c,$(O)/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
ifeq ($(BUILD),fuzz)
FUZZ_LD   := -fsanitize=fuzzer
else
FUZZ_MAIN := tests/fuzz/replay.c
endif

$(O)/fuzz/%: tests/fuzz/%.c $(FUZZ_MAIN) $(O)/cmd/image_archive.o $(O)/libstore.a \
		$(O)/libregistry.a $(O)/libruntime.a $(O)/libbase.a
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(FUZZ_LD) $(PIE) $(HARDEN_LD) \
		$(LDFLAGS) \
		-MF $@.d -o $@ $(filter %.c %.o,$^) $(filter %.a,$^) \
		$(LIBS_IMAGE) -lseccomp

generated: $(O)/runtime/seccomp_default.h $(O)/runtime/pid1_blob.h
unit: $(UNIT)
fuzz: $(FUZZ)

fuzz-clang:
	$(Q)tests/deps build fuzz
	$(Q)$(MAKE) BUILD=fuzz CC=clang-14 fuzz
.PHONY: unit fuzz fuzz-clang generated

check: deps
	$(Q)tests/run

check-asan: deps
	$(Q)tests/run asan-all

check-vm: deps
	$(Q)tests/run vm

check-docker: all
	$(Q)tests/deps test bench
	$(Q)PRISM=$(O)/prism tests/docker/run

bench: all
	$(Q)tests/bench/run

demo: deps
	$(Q)tests/demo

deps:
	$(Q)tests/deps

lint:
	$(Q)tests/lint/run

format:
	clang-format -i $(wildcard $(addsuffix /*.[ch],$(LAYERS) tests/unit))

# ---- install ---------------------------------------------------------------

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/libexec/prism
	install -m 0755 $(O)/prism $(DESTDIR)$(PREFIX)/bin/prism
	install -m 0755 $(O)/prism-image $(O)/prism-scope \
		$(DESTDIR)$(PREFIX)/libexec/prism/
	install -d $(DESTDIR)$(PREFIX)/share/prism/apparmor
	install -m 0644 runtime/apparmor/prism-default \
		$(DESTDIR)$(PREFIX)/share/prism/apparmor/

clean:
	rm -rf build build-asan build-crash build-fuzz

-include $(shell find $(O) -name '*.d' 2>/dev/null)
