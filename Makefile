# The front door: each target is one line over a command of hkreport. `make` alone lists them.
# Works with GNU make 3.81 (macOS) and later.

.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/sh

# Variables that each target takes, on make's command line only. PYTHON and QUARTO serve every target
# that needs the environment.
vars.data := SEED SCALE
vars.check := DATA
filters := PLATFORM TIER CATEGORY GENDER INFLUENCER PRODUCT CAMPAIGN MIN_ROAS MIN_PRICE MAX_PRICE
vars.report := BRAND PERIOD DATA $(filters) SITE ENGINE
vars.site := BRANDS PERIODS DATA JOBS SITE ENGINE
vars.explorer := DATA OUT
vars.serve := SITE PORT
vars.verify := RUN DATA
vars.insights := BRAND PERIOD DATA $(filters)
vars.email := BRAND PERIOD TO DATA SITE ENGINE
vars.publish := TO DATA SITE
vars.nightly := TO SEND JOBS DATA SITE ENGINE
vars.certify := JOBS SITE
vars.setup := PYTHON QUARTO
documented := $(sort $(foreach table,$(filter vars.%,$(.VARIABLES)),$($(table))))

# Nothing is begun where one of the targets is none: BRAND=HKVitals without its BRAND= is one.
targets := help setup data check templates report site explorer serve verify insights email publish nightly \
  certify harden bench golden doctor lint test clean
unknown := $(firstword $(filter-out $(targets),$(MAKECMDGOALS)))
ifneq ($(unknown),)
  $(error make knows no target $(unknown): make help lists them$(if $(filter $(targets),$(MAKECMDGOALS)),. A \
    value follows its variable: BRAND=HKVitals))
endif

# A misspelt variable must not report something else than was asked for, nor may an inherited one.
goals := $(if $(MAKECMDGOALS),$(MAKECMDGOALS),help)
given := $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))
allowed := $(sort $(vars.setup) $(foreach goal,$(goals),$(vars.$(goal))))
misspelt := $(firstword $(filter-out $(documented),$(given)))
unused := $(firstword $(filter-out $(allowed),$(given)))
quoted = '$(subst ','\'',$(1))'
nearest := import difflib, sys; near = difflib.get_close_matches(sys.argv[1].upper(), sys.argv[2:], 1); \
           print(f"did you mean {near[0]}? " if near else "", end="")
ifneq ($(misspelt),)
  $(error make knows no variable $(misspelt): $(shell python3 -I -c $(call quoted,$(nearest)) \
    $(call quoted,$(misspelt)) $(documented) 2>/dev/null)make $(goals) takes $(allowed))
endif
ifneq ($(unused),)
  $(error make $(goals) does not use $(unused): it takes $(allowed))
endif
empty := $(firstword $(foreach name,$(given),$(if $(value $(name)),,$(name))))
ifneq ($(empty),)
  $(error $(empty) is empty: give it a value, or leave it out)
endif
ifneq ($(filter-out yes,$(if $(filter SEND,$(given)),$(value SEND))),)
  $(error SEND is yes or is left out: without it the mail is written, not sent)
endif
attempt := $(if $(filter QUARTO,$(given)),$(value QUARTO))
ifneq ($(filter-out retry skip,$(attempt)),)
  $(error QUARTO is either retry or skip: without it Quarto is tried once)
endif

# Values reach the command through the environment, as typed: neither make nor the shell reads a $, a
# quote or a semicolon in them. (By itself make would expand them and export the result.)
unexport $(documented)
$(foreach name,$(given),$(eval export HKREPORT_MAKE_$(name) = $$(value $(name))))
typed = "$$HKREPORT_MAKE_$(1)"
option = --$(shell echo $(1) | tr A-Z_ a-z-)=$(call typed,$(1))
options = $(foreach name,$(filter-out SEND RUN,$(filter $(given),$(vars.$@))),$(call option,$(name)))

# The environment is whole when it holds this stamp. Its name is the content of what was installed and
# where, so that a clone, a touch or a checkout installs nothing, and a changed lock or a moved folder does.
content := $(shell { pwd; cat requirements.lock pyproject.toml; } | cksum | tr ' ' -)
stamp := .venv/ready-$(content)
quarto := .venv/quarto.txt
ready := $(stamp) $(if $(filter skip,$(attempt)),,$(quarto))
untried := "Quarto was not tried: unless this machine has it, the embedded engine (pandoc + Typst) will render."
broken := $(shell test -x .venv/bin/python || echo broken)
hkreport := .venv/bin/hkreport
pythons = $(if $(filter PYTHON,$(given)),$(call typed,PYTHON),python3.13 python3.12 python3.11 python3)
supported := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

.PHONY: $(targets) always
always:

help: ## List the targets and their variables
	@{ $(foreach table,$(filter vars.%,$(.VARIABLES)),echo 'takes $(table) $($(table))';) \
	  cat $(firstword $(MAKEFILE_LIST)); } | awk ' \
	  $$1 == "takes" { for (i = 3; i <= NF; i++) takes[$$2] = takes[$$2] " " $$i "=" } \
	  /^[a-z]+:.*## / { name = $$1; sub(/:.*/, "", name); sub(/.*## /, ""); \
	    printf "%-10s %s%s\n", name, $$0, takes["vars." name] ? "\n          " takes["vars." name] : "" }'

setup: $(ready) ## Make .venv from requirements.lock, try Quarto once, say which engine will render
	@echo "hkreport is ready in .venv. $$(cat $(quarto) 2>/dev/null || echo $(untried))"

$(stamp): $(if $(broken)$(filter PYTHON,$(given)),always)
	@for python in $(pythons); do \
	  if "$$python" -c $(call quoted,$(supported)) 2>/dev/null; then \
	    exec "$$python" -I hkreport/pipeline/environment.py install --stamp $@; \
	  fi; \
	done; \
	echo "hkreport needs Python 3.11, 3.12 or 3.13; none of" $(pythons) "is one." \
	  "Install one, or name it: make setup PYTHON=/path/to/python3.12" >&2; exit 1

$(quarto): $(if $(filter retry,$(attempt)),always) | $(stamp)
	@.venv/bin/python -I hkreport/pipeline/environment.py quarto $(if $(filter setup,$(goals)),,--aloud)

data: $(stamp) ## Simulate exports with known effects in data/sample
	@$(hkreport) simulate --out data/sample $(options)

check: $(stamp) ## Say what was read from the exports in DATA, what was rejected and why
	@$(hkreport) check $(if $(filter DATA,$(given)),-- $(call typed,DATA))

templates: $(stamp) ## Write empty exports with one example row and a column guide to data/templates
	@$(hkreport) templates --out data/templates

report: $(ready) ## Build HTML and PDF for one brand and period
	@$(hkreport) report $(options)

site: $(ready) ## Build what changed of all reports, the portfolio, the explorer and the index
	@$(hkreport) site $(options)

explorer: $(stamp) ## Build the explorer alone: one page that filters and exports without a server
	@$(hkreport) explorer $(if $(filter OUT,$(given)),--out=$(call typed,OUT)) \
	  $(if $(filter DATA,$(given)),-- $(call typed,DATA))

serve: $(stamp) ## Show the built site on this machine
	@$(hkreport) serve $(options)

verify: $(ready) ## Build a report again from its run.json (RUN) and compare every byte
	@$(hkreport) verify $(options) -- $(if $(filter RUN,$(given)),$(call typed,RUN))

insights: $(stamp) ## Print what stands out and what to do about it
	@$(hkreport) insights $(filter-out --data=%,$(options)) $(if $(filter DATA,$(given)),-- $(call typed,DATA))

email: $(ready) ## Write the mail of a report and a preview; hkreport email --send sends it
	@$(hkreport) email $(options)

publish: $(stamp) ## Check the site and put it to TO: gh-pages, a folder, or host:path
	@$(hkreport) publish $(options)

nightly: $(ready) ## Check, build the site, publish it to TO, and mail (SEND=yes sends)
	@$(hkreport) nightly $(options) $(if $(filter SEND,$(given)),--send)

certify: $(ready) ## Check the methods against published answers and simulated campaigns, into docs/
	@$(hkreport) certify --docs docs $(options)

harden: $(ready) ## Kill, starve and mislead it, and write what was lost to docs/reliability.md (hours)
	@.venv/bin/python tests/harden.py

golden: $(stamp) ## Write the golden files again; read the difference before committing
	.venv/bin/python -m pytest -q tests --golden

doctor: $(stamp) ## Say what is installed, what is missing and how to get it
	@$(hkreport) doctor

bench: $(stamp) ## Measure how time grows with rows, into docs/benchmarks.md
	@.venv/bin/python tests/bench.py

lint: $(stamp) ## Check style, format and types
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy hkreport

test: $(ready) ## Run the tests and the examples in the docstrings
	.venv/bin/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

clean: ## Remove what was built (build/, _site/) and the caches of tools; .venv and data stay
	rm -rf build _site .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find hkreport tests -name __pycache__ -type d -prune -exec rm -rf {} +
