SCENE_SOURCES := \
	scene/backdrop.c \
	scene/backdrop_draw.c \
	scene/backdrop_pixel.c \
	scene/backdrop_wheel.c \
	scene/canvas.c \
	scene/font.c \
	scene/framestamp.c \
	scene/label.c \
	scene/layout.c \
	scene/banner.c \
	scene/roulette.c \
	scene/segment.c \
	scene/spin.c \
	scene/text.c \
	scene/trig.c \
	scene/wheel.c \
	scene/wheel_draw.c

# Every generic source, in link order. Architecture sources come first (arch/<arch>/arch.mk).
SOURCES := \
	base/string.c \
	base/print.c \
	base/panic.c \
	base/heap.c \
	run/record.c \
	sync/preempt.c \
	sync/alarm.c \
	sched/runqueue.c \
	sched/sched.c \
	sched/load.c \
	drivers/pci/capability.c \
	drivers/pci/config.c \
	drivers/pci/bar.c \
	drivers/pci/pci.c \
	drivers/virtio/virtqueue.c \
	drivers/virtio/wait.c \
	drivers/virtio/transport.c \
	drivers/virtio/gpu_command.c \
	drivers/virtio/gpu_2d.c \
	drivers/virtio/gpu_virgl.c \
	drivers/virtio/gpu.c \
	drivers/virtio/blk.c \
	drivers/virtio/input.c \
	run/params.c \
	run/recording.c \
	run/blkload.c \
	run/inputs.c \
	run/frameloop.c \
	$(SCENE_SOURCES)

# Linked with CURSOR=hw, and for its suite.
CURSOR_SOURCES := drivers/virtio/gpu_cursor.c

# Linked with MODES=on, and for its suite.
MODES_SOURCES := \
	drivers/virtio/transport_config.c \
	drivers/virtio/gpu_edid.c \
	drivers/virtio/gpu_modes.c

# Linked with HEADS=2, and for its suite.
HEADS_SOURCES := drivers/virtio/gpu_heads.c

# Linked with DRAW=gpu, and for their suite.
HOSTDRAW_SOURCES := \
	drivers/virtio/gpu_virgl_encode.c \
	drivers/virtio/gpu_virgl_shaders.c \
	drivers/virtio/gpu_virgl_renderer.c \
	drivers/virtio/gpu_virgl_draw.c \
	scene/pieces.c \
	scene/pieces_sheet.c

# What is declared in these is a value of FAULT.
FAULT_SOURCES := \
	fault/drawing.c \
	fault/driver.c \
	fault/ending.c \
	fault/input.c \
	fault/modes.c \
	fault/serial.c

# Suites, one a file, in the order in which they run. Those of the first list also run natively (test/host/host.mk).
SUITES := \
	test/ktest_ktest.c \
	test/ktest_print.c \
	test/ktest_memory.c \
	test/ktest_pci.c \
	test/ktest_runqueue.c \
	test/ktest_fdt.c \
	test/ktest_record.c \
	test/ktest_params.c \
	test/ktest_virtqueue.c \
	test/ktest_wait.c \
	test/ktest_gpu.c \
	test/ktest_gpu_virgl.c \
	test/ktest_gpu_cursor.c \
	test/ktest_gpu_edid.c \
	test/ktest_gpu_modes.c \
	test/ktest_gpu_draw.c \
	test/ktest_pieces.c \
	test/ktest_blk.c \
	test/ktest_input.c \
	test/ktest_fault.c \
	test/ktest_scene.c
MACHINE_SUITES := \
	test/ktest_string.c \
	test/ktest_sched.c \
	test/ktest_preempt.c \
	test/ktest_preempt_race.c \
	test/ktest_transport.c \
	test/ktest_gpu_refusals.c \
	test/ktest_golden.c

# Devices, as suites and fuzzers model them.
MODEL_SOURCES := \
	test/ringdevice.c \
	test/gpudevice.c

# The test kernel has these in the place of main.c.
TEST_SOURCES := \
	test/ktest.c \
	test/test_main.c \
	$(MODEL_SOURCES) \
	$(SUITES) \
	$(MACHINE_SUITES) \
	$(FAULT_SOURCES) \
	firmware/fdt.c \
	firmware/fdt_bus.c \
	firmware/acpi.c \
	firmware/pvh.c \
	base/clock.c \
	drivers/uart/ns16550.c
