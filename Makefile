# The only front door. Every goal hands the command line's KEY=VALUE words to the harness, which returns the exact exit
# code; GNU make itself can only say 0 or 2, so the last line printed and results/latest/exit_code say the rest.
#
# Words count from the command line only. Of the environment, VIRGL, VIDEO and BOOT_LOG_TIMEOUT are read.
#
# A value reaches the harness as it was typed: make exports nothing (it would expand what it exports), and the words
# travel in one quoted variable, which is never expanded again. What GNU make does before it reads this file cannot be
# undone here: it expands the name left of "=", it expands or runs values given as "A:=…", "A::=…" and "A!=…", and it
# drops blanks before a value. A failing goal ends with make's own "*** [Makefile: …] Error", which nothing can silence.
SHELL := /bin/sh
.NOTPARALLEL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

# NAME=value words of the command line, each in single quotes: a value may hold blanks, line breaks and anything else.
quoted = '$(subst ','\'',$1)'
given := $(foreach name,$(filter-out MAKEFLAGS,$(.VARIABLES)),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
imported := $(foreach name,VIRGL VIDEO BOOT_LOG_TIMEOUT,$(if $(filter environment,$(origin $(name))),$(if $(value $(name)),$(name))))
words_of = $(foreach name,$1,$(call quoted,$(name)=$(value $(name))))
export HARNESS_WORDS := $(call words_of,$(given))
export HARNESS_VIRGL := $(call words_of,$(filter VIRGL,$(imported)))
export HARNESS_SEED := $(call words_of,$(imported))
unexport $(given)
MAKEOVERRIDES :=

# $1 is the command, $2 the variable with what it takes from the environment.
harness = @eval "set -- $$HARNESS_WORDS $2"; exec ci/harness $1 "$$@"
# Of the checkout's folder, any name will do: none of this takes it for words.
same = $(if $(subst x$1,,x$2)$(subst x$2,,x$1),,yes)
list := $(strip $(MAKEFILE_LIST))
here := $(or $(call same,$(list),Makefile),$(call same,$(list),./Makefile),$(call same,$(list),$(strip $(CURDIR)/Makefile)))
ifeq ($(here),)
$(error harness-failed: run make in $(list:Makefile=), or make -C $(list:Makefile=))
endif

commands := $(filter-out __init__,$(basename $(notdir $(wildcard harness/commands/*.py))))

help: ## this list, or a command's settings: make help C=perf
	$(call harness,help)

setup: ## install what the goals named beside it need; alone, what perf needs
	@ci/setup $(filter-out setup,$(filter $(commands) test test-full check quick,$(MAKECMDGOALS)))

measuring := $(filter perf ab explain,$(commands))
shown := $(filter boot acceptance,$(commands))
$(measuring):
	$(call harness,$@,$$HARNESS_VIRGL)
$(shown):
	$(call harness,$@,$$HARNESS_SEED)
$(filter-out $(measuring) $(shown),$(commands)):
	$(call harness,$@)

test: ## every suite; T=gates K=floor choose
	@eval "set -- $$HARNESS_WORDS"; exec ci/test "$$@"
test-full: ## everything
	@eval "set -- $$HARNESS_WORDS"; exec ci/test full "$$@"
quick: ## what needs no QEMU
	@eval "set -- $$HARNESS_WORDS"; exec ci/test quick "$$@"
check: ## format, warnings, static analysis, types, layering
	@ci/check
docs: ## the parts of the documents that follow from the code
	@ci/house.py
	@/usr/bin/python3 -m harness.tests.written_pages
open: ## the last report, in a browser
	@exec ci/open
clean: ## what was built; results and baselines stay
	rm -rf build

# A goal that does not exist: the harness names the nearest command.
.DEFAULT:
	@exec ci/harness '$(subst ','\'',$@)'

.PHONY: help setup $(commands) test test-full quick check docs open clean
