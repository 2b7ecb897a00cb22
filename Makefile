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

# Of the checkout's folder, any name will do: none of this takes it for words.
same = $(if $(subst x$1,,x$2)$(subst x$2,,x$1),,yes)
list := $(strip $(MAKEFILE_LIST))
here := $(or $(call same,$(list),Makefile),$(call same,$(list),./Makefile),$(call same,$(list),$(strip $(CURDIR)/Makefile)))
ifeq ($(here),)
$(error harness-failed: run make in $(list:Makefile=), or make -C $(list:Makefile=))
endif

commands := $(filter-out __init__,$(basename $(notdir $(wildcard harness/commands/*.py))))
tests := test test-full quick
bare := check docs open clean
goals := help setup $(commands) $(tests) $(bare)

# A word that is not a goal belongs to the last goal, which parses it: make explain case-1-logged. Behind help
# and history every word does: make help perf, make history analyze.
eager :=
behind := $(foreach word,$(MAKECMDGOALS),$(if $(eager),$(word),$(if $(filter help history,$(word)),$(eval eager := $(word)))))
loose := $(filter-out $(goals),$(MAKECMDGOALS))
taker := $(or $(eager),$(lastword $(filter $(goals),$(MAKECMDGOALS))))
handed := $(if $(eager),$(filter-out $(goals) $(behind),$(MAKECMDGOALS)) $(behind),$(loose))
words_for = $(if $(filter $1,$(taker)),$(foreach word,$(handed),$(call quoted,$(word))))
# Settings of a line belong to its goals that take any; where there is none, the first goal refuses them.
refuse = @$(if $(filter-out $(bare),$(filter $(goals),$(MAKECMDGOALS))),:,eval "set -- $$HARNESS_WORDS"; set -- $(call words_for,$@) "$$@"; \
	[ $$# = 0 ] || { printf 'usage: %s: make %s takes no word (exit 2)\n' "$$1" $@; exit 2; })

# $1 is the command, $2 the variable with what it takes from the environment.
harness = @$(if $(filter $1,$(behind)),:,eval "set -- $$HARNESS_WORDS $2"; exec ci/harness $1 $(call words_for,$1) "$$@")
tested = @eval "set -- $$HARNESS_WORDS"; exec ci/test $1 $(call words_for,$@) "$$@"

help: ## this list, or a command's settings: make help C=perf
	$(call harness,help)

setup: ## install what the goals named beside it need; alone, what perf needs
	@eval "set -- $$HARNESS_WORDS"; exec ci/setup $(filter-out setup $(loose),$(MAKECMDGOALS)) $(call words_for,setup) "$$@"

measuring := $(filter perf ab explain,$(commands))
shown := $(filter boot acceptance,$(commands))
$(measuring):
	$(call harness,$@,$$HARNESS_VIRGL)
$(shown):
	$(call harness,$@,$$HARNESS_SEED)
$(filter-out $(measuring) $(shown),$(commands)):
	$(call harness,$@)

test: ## every suite; T=gates K=floor choose
	$(call tested)
test-full: ## everything
	$(call tested,full)
quick: ## what needs no QEMU and little time
	$(call tested,quick)
check: ## format, warnings, static analysis, types, layering
	$(refuse)
	@ci/check
docs: ## the parts of the documents that follow from the code
	$(refuse)
	@ci/house.py
	@/usr/bin/python3 -m harness.tests.written_pages
open: ## the last report, in a browser
	$(refuse)
	@exec ci/open
clean: ## what was built; results and baselines stay
	$(refuse)
	rm -rf build

# A goal that does not exist: the harness names the nearest command. A file of that name here makes no difference; a name
# that make could not read in a rule finds no file.
nowhere = @$(if $(taker),:,exec ci/harness $(call quoted,$@))
special = $(strip $(foreach sign,% : ; * ? [ ] ~ | &,$(findstring $(sign),$1)))
named := $(foreach word,$(loose),$(if $(call special,$(word)),,$(word)))
ifneq ($(named),)
$(named):
	$(nowhere)
endif
.DEFAULT:
	$(nowhere)

.PHONY: $(goals) $(named)
