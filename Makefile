# The only front door. Every goal hands the command line's KEY=VALUE words to the harness, which returns the exact exit
# code; GNU make itself can only say 0 or 2, so the last line printed and results/latest/exit_code say the rest.
#
# Words count from the command line only. Of the environment, VIRGL, VIDEO and BOOT_LOG_TIMEOUT are read.
SHELL := /bin/sh
.NOTPARALLEL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

PYTHON := /usr/bin/python3

# NAME=value words of the command line, each in single quotes: a value may hold blanks and anything else.
quoted = '$(subst ','\'',$1)'
given := $(foreach name,$(filter-out MAKEFLAGS PYTHON,$(.VARIABLES)),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
words := $(foreach name,$(given),$(call quoted,$(name)=$(value $(name))))
imported = $(foreach name,$1,$(if $(filter environment,$(origin $(name))),$(call quoted,$(name)=$(value $(name)))))
seed := $(call imported,VIRGL VIDEO BOOT_LOG_TIMEOUT)
harness = @$(PYTHON) -m harness $1 $(words)

COMMANDS := perf ab explain approve calibrate nightly bisect report bench litmus doctor build analyze golden

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)$$/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20
	@echo
	@echo '  SWITCH=value words (kernel/options.h has the list) go to build, perf, ab, boot, explain, acceptance.'
	@echo '  Exit codes of python3 -m harness: 0 pass, 1 regression, 2 usage, 3 guest failed, 4 inconclusive, 5 harness failed.'

setup: ## install what the goals named beside it need
	@ci/setup $(filter-out setup,$(MAKECMDGOALS))

perf: ## measure against the approved kernel, and judge: the gate
	$(call harness,$@) $(call imported,VIRGL)
ab: ## compare kernels: A="BARRIER=…" B="…"; alone, the seed's two strategies
	$(call harness,$@) $(call imported,VIRGL)
explain: ## where a frame's time goes, and what each switch is worth; of a regression: RESULT=results/…
	$(call harness,$@) $(call imported,VIRGL)
boot: ## show the wheel: VIDEO=1 in a window, VIRGL=1 on the GL device
	@$(PYTHON) -m harness boot $(words) $(seed)
acceptance: ## the checklist of the seed case, every line measured
	@$(PYTHON) -m harness acceptance $(words) $(seed)
approve: ## make the last result the baseline: REASON="…"
	$(call harness,$@)
analyze: ## judge a saved run again: RESULT=results/…
	$(call harness,$@)
calibrate: ## measure the gate itself: false alarms and power
	$(call harness,$@)
nightly: ## the whole matrix, history and drift
	$(call harness,$@)
bisect: ## find the commit: GOOD=… BAD=…
	$(call harness,$@)
report: ## render the history as a site
	$(call harness,$@)
bench: ## the figures that are promised
	$(call harness,$@)
litmus: ## the ring's ordering questions as litmus tests
	$(call harness,$@)
doctor: ## what works on this machine, by trying
	$(call harness,$@)
build: ## one kernel: SWITCH=value …
	$(call harness,$@)
golden: ## write the hashes of 1,000 frames
	$(call harness,$@)

test: ## every suite, within 15 minutes
	@ci/test
test-full: ## everything, within 75 minutes
	@ci/test full
check: ## format, warnings, static analysis, types, layering
	@ci/check
clean: ## what was built; results and baselines stay
	rm -rf build

.PHONY: help setup perf ab explain boot acceptance approve analyze calibrate nightly bisect report bench litmus doctor \
	build golden test test-full check clean
