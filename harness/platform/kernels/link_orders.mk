# The kernel in several link orders at once: each goal is a number for SHUFFLE=. Variables reach the kernel's Makefile by themselves.
# It is not a part of that Makefile, because kernels of earlier revisions are linked again too.
.PHONY: $(MAKECMDGOALS)
$(MAKECMDGOALS):
	@$(MAKE) --no-print-directory -f Makefile SHUFFLE=$@
