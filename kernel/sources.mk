# Every generic source, in link order. Architecture sources come first (arch/<arch>/arch.mk).
SOURCES := \
	lib/string.c \
	lib/print.c \
	lib/assert.c \
	lib/heap.c \
	lib/record.c \
	sync/preempt.c \
	sync/alarm.c \
	sched/runqueue.c \
	sched/sched.c \
	sched/load.c \
	pci/capability.c \
	pci/bar.c \
	pci/pci.c \
	virtio/virtqueue.c \
	virtio/wait.c \
	virtio/transport.c \
	virtio/gpu_command.c \
	virtio/gpu_2d.c \
	virtio/gpu_virgl.c \
	virtio/gpu.c \
	virtio/blk.c \
	run/params.c \
	run/recording.c \
	run/blkload.c \
	run/frameloop.c

SOURCES += $(wildcard scene/*.c)

# A kernel without a fault holds no code of one.
ifneq ($(filter-out none,$(if $(filter FAULT,$(GIVEN)),$(FAULT))),)
SOURCES += fault/fault.c
endif

# The test kernel has these in the place of main.c.
TEST_SOURCES := \
	test/ktest.c \
	test/suites.c \
	test/test_main.c \
	test/ktest_ktest.c \
	test/ktest_string.c \
	test/ktest_print.c \
	test/ktest_memory.c \
	test/ktest_pci.c \
	test/ktest_runqueue.c \
	test/ktest_sched.c \
	test/ktest_preempt.c \
	test/ktest_preempt_race.c \
	test/ktest_fdt.c \
	test/ktest_record.c \
	test/ktest_params.c \
	test/ringdevice.c \
	test/ktest_virtqueue.c \
	test/ktest_wait.c \
	test/ktest_transport.c \
	test/gpudevice.c \
	test/ktest_gpu.c \
	test/ktest_gpu_virgl.c \
	test/ktest_blk.c \
	test/ktest_fault.c \
	test/ktest_scene.c \
	test/ktest_golden.c \
	lib/fdt.c \
	lib/fdt_bus.c \
	lib/acpi.c \
	lib/pvh.c \
	lib/clock.c \
	lib/ns16550.c
