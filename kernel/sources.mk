# Every generic source, in link order. Architecture sources come first (arch/<arch>/arch.mk).
SOURCES := \
	main.c \
	lib/string.c \
	lib/print.c \
	lib/assert.c \
	lib/heap.c \
	pci/capability.c \
	pci/pci.c

TEST_SOURCES :=
