# Native tests, included by kernel/Makefile: make -C kernel hosttest | hostfuzz [OUT=folder]
#
# The generic sources and the suites that need no machine, on arch/host, by both compilers under ASan and UBSan; the
# kick race between two threads, unsanitised, for a strategy with and one without the fence; fuzzers, in short. RUNS= is
# how many inputs each fuzzer tries, SEED= where it begins, RACE_S= for how long nothing may be lost where there is a
# fence.
HOST_FLAGS := -std=c11 -g -O1 -Wall -Wextra -Werror -I. -DMODES=on -DSCENE_HASH='"host"' -DFENCE_HEADER='"arch/host/fence.h"' \
	-fno-strict-aliasing -fno-common -fno-pie -no-pie -pthread
HOST_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

# Without base/string.c, which would take the place of the C library's functions.
HOST_LIBRARY := \
	arch/host/cpu.c \
	base/print.c \
	base/panic.c \
	base/heap.c \
	run/record.c \
	firmware/fdt.c \
	firmware/fdt_bus.c \
	firmware/acpi.c \
	firmware/pvh.c \
	base/clock.c \
	drivers/uart/ns16550.c \
	sched/runqueue.c \
	drivers/pci/capability.c \
	drivers/pci/config.c \
	drivers/pci/bar.c \
	drivers/pci/pci.c \
	sync/alarm.c \
	sync/preempt.c \
	drivers/virtio/virtqueue.c \
	drivers/virtio/wait.c \
	drivers/virtio/transport.c \
	drivers/virtio/gpu_command.c \
	drivers/virtio/gpu_2d.c \
	drivers/virtio/gpu_virgl.c \
	drivers/virtio/gpu.c \
	$(CURSOR_SOURCES) \
	$(MODES_SOURCES) \
	$(HEADS_SOURCES) \
	$(HOSTDRAW_SOURCES) \
	drivers/virtio/blk.c \
	drivers/virtio/input.c \
	run/params.c \
	run/recording.c \
	$(MODEL_SOURCES) \
	$(SCENE_SOURCES)
HOST_SUITES := test/ktest.c $(FAULT_SOURCES) $(SUITES) test/host/host_suites.c
HOST_RACE := arch/host/cpu.c drivers/virtio/virtqueue.c test/host/kick_race.c

# name:compiler:switches, a comma for a blank
HOST_BUILDS := \
	gcc:gcc: \
	clang:clang: \
	irq:gcc:-DCOMPLETION=irq,-DCOUNTERS=atomic,-DGPU_FENCE=on,-DBATCH=off,-DBARRIER=seqcst_spin,-DFILL=pixel \
	iterations:clang:-DWAIT=iterations,-DCOUNTERS=none,-DBARRIER=acquire_load,-DSPIN=none
HOST_FUZZERS := ring params capability
HOST_FUZZ_RUNS := $(call choose,RUNS,150000)
HOST_FUZZ_SEED := $(call choose,SEED,1)
HOST_RACE_S := $(call choose,RACE_S,10)

host_field = $(word $2,$(subst :, ,$1))
comma := ,
host_programs := $(foreach build,$(HOST_BUILDS),$(HOST_OUT)/suites-$(call host_field,$(build),1)) \
	$(HOST_OUT)/kick-race-none $(HOST_OUT)/kick-race-full

define host_suites_rule
$$(HOST_OUT)/suites-$(call host_field,$1,1): $(HOST_LIBRARY) $(HOST_SUITES)
	@mkdir -p $$(@D)
	$$(call quiet,HOST ,$$(@F))$(call host_field,$1,2) $(HOST_FLAGS) $(HOST_SANITIZE) \
		$(subst $(comma), ,$(call host_field,$1,3)) -o $$@ $$^
endef
$(foreach build,$(HOST_BUILDS),$(eval $(call host_suites_rule,$(build))))

$(HOST_OUT)/kick-race-none: BARRIER_RACE := no_kick_fence
$(HOST_OUT)/kick-race-full: BARRIER_RACE := acquire_progress
$(HOST_OUT)/kick-race-%: $(HOST_RACE)
	@mkdir -p $(@D)
	$(call quiet,HOST ,$(@F))gcc $(HOST_FLAGS) -O2 -DRACE_S=$(HOST_RACE_S)ull -DBARRIER=$(or $(BARRIER_RACE),$*) -o $@ $^

# make -C kernel hostrace-linux: the race of one strategy
hostrace-%: $(HOST_OUT)/kick-race-% ;
.PRECIOUS: $(HOST_OUT)/kick-race-%

# What the fuzzers share is compiled once.
HOST_FUZZ_FLAGS := $(HOST_FLAGS) -fno-sanitize-recover=all -fsanitize=address,undefined
host_fuzz_library := $(patsubst %.c,$(HOST_OUT)/fuzz-library/%.o,$(HOST_LIBRARY))

.SECONDARY: $(host_fuzz_library)
$(HOST_OUT)/fuzz-library/%.o: %.c
	@mkdir -p $(@D)
	$(call quiet,HOST ,$<)clang $(filter-out -no-pie,$(HOST_FUZZ_FLAGS)) -fsanitize=fuzzer-no-link -c -o $@ $<

$(HOST_OUT)/fuzz-%: test/host/fuzz_%.c $(host_fuzz_library)
	$(call quiet,HOST ,$(@F))clang $(HOST_FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^

# Headers are few and the builds short: every run of the tests starts from nothing.
hosttest: FORCE
	@rm -rf $(HOST_OUT)
	@$(MAKE) --no-print-directory -j2 OUT=$(HOST_OUT) hostprograms
	@test/host/run $(host_programs) $(foreach name,$(HOST_FUZZERS),$(HOST_OUT)/fuzz-$(name):$(HOST_FUZZ_RUNS):$(HOST_FUZZ_SEED))

hostprograms: $(host_programs) $(foreach name,$(HOST_FUZZERS),$(HOST_OUT)/fuzz-$(name))

# make hostfuzz RUNS=10000000
hostfuzz: $(foreach name,$(HOST_FUZZERS),$(HOST_OUT)/fuzz-$(name)) FORCE
	@test/host/run $(foreach name,$(HOST_FUZZERS),$(HOST_OUT)/fuzz-$(name):$(HOST_FUZZ_RUNS):$(HOST_FUZZ_SEED))

.PHONY: hosttest hostprograms hostfuzz
