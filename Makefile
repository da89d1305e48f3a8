# Every target installs what it needs first: uv by python3 -m venv, then the locked packages into .venv.
SHELL := /bin/bash
.DEFAULT_GOAL := help

SLIPWAY_CACHE ?= $(HOME)/.cache/slipway
UV_VERSION := 0.13.9
UV_HOME := $(SLIPWAY_CACHE)/uv-$(UV_VERSION)
UV := $(UV_HOME)/bin/uv
# A sandboxed process cannot write bytecode, so it is compiled once, here and by `setup`; every other
# process of a test would otherwise compile again what it imports.
export UV_COMPILE_BYTECODE := 1
unexport PYTHONDONTWRITEBYTECODE
RUN := $(UV) run --frozen --no-sync
PYTEST := $(RUN) python -m pytest
# Two workers: the suites share nothing but loopback, and every engine has its own folder and ports.
WORKERS ?= 2
# A worker takes whole files, in the order of the tree: the stories, which take longest, come first.
# xdist's own order (most tests first) leaves them for last, one worker idle beside the other.
SPREAD = -n $(WORKERS) --dist loadfile --no-loadscope-reorder
STORIES := tests/behaviour/test_training_environments.py # the longest by far
STORIES += $(filter-out $(STORIES),$(wildcard tests/behaviour/test_*.py))
ON_LAPTOP = $(STORIES) $(filter-out tests/behaviour/ tests/cluster/,$(wildcard tests/*/))
PURE := api state decide resources routing steering lookups plan
COVERAGE := $(foreach package,$(PURE),--cov=slipway_operator.$(package)) --cov-branch --cov-report=term

##@ Use
.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-zA-Z_-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: setup ## Train a model, serve it behind Envoy, ask it; on a terminal it stays until Ctrl-C
	@PATH="$(CURDIR)/.venv/bin:$$PATH" bash examples/demo.sh

.PHONY: store-demo
store-demo: setup stores ## Serve models out of a local S3, Azure and OCI registry; on a terminal until Ctrl-C
	@PATH="$(CURDIR)/.venv/bin:$$PATH" $(RUN) python examples/store_demo.py

.PHONY: examples
examples: setup ## Train the example models that are missing or older than their script
	@$(RUN) python examples/train_all.py

##@ Set-up
$(UV):
	@echo "· installing uv $(UV_VERSION) into $(UV_HOME)"
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Slipway needs Python 3.11 or newer as python3; found $$(python3 --version). Install one and try again." >&2; exit 1; }
	@python3 -m venv $(UV_HOME) && $(UV_HOME)/bin/python -m pip install -q uv==$(UV_VERSION)

.venv/.synced: $(UV) pyproject.toml operator/pyproject.toml runtime/pyproject.toml uv.lock
	@echo "· installing the locked packages into .venv (about 1 GB, once)"
	@$(UV) sync --frozen -q && touch $@

# One folder a version, so a new version is installed beside the old one. All from package registries.
.PHONY: stores
stores: setup ## Install the store servers that the tests run (azurite, versitygw, an OCI registry), and Prometheus
	@$(RUN) python tests/support/store_programs.py

.PHONY: setup
setup: .venv/.synced ## Install everything that is needed, into .venv and ~/.cache/slipway
	@.venv/bin/python -m compileall -q operator/src runtime/src

##@ Test
# The cluster first: what it cannot have (root) is told at once. It is stopped afterwards, unless it
# was running before. Those of its tests that run one by one mostly wait, so the laptop's tests run
# beside them; what these say is kept, and comes last.
LAPTOP_LOG := .test-laptop.log
.PHONY: test
test: check ## All checks and all tests; root on Debian, for the cluster's (or SLIPWAY_TEST_KUBECONFIG)
	@rm -f $(LAPTOP_LOG); \
	kept=$${SLIPWAY_TEST_KUBECONFIG:-$$($(RIG) status > /dev/null && echo kept)}; \
	$(if $(SLIPWAY_TEST_KUBECONFIG),,$(MAKE) --no-print-directory cluster || exit;) \
	$(MAKE) --no-print-directory test-cluster-apart \
	  && $(MAKE) --no-print-directory -j2 test-cluster-alone test-laptop-beside; status=$$?; \
	[ -n "$$kept" ] || $(MAKE) --no-print-directory cluster-down || status=$$?; \
	[ ! -e $(LAPTOP_LOG) ] || cat $(LAPTOP_LOG); \
	exit $$status

.PHONY: test-laptop-beside
test-laptop-beside: setup
	@echo "· beside them the tests that need no cluster: tail -f $(LAPTOP_LOG)"
	@$(MAKE) --no-print-directory test-laptop > $(LAPTOP_LOG) 2>&1

.PHONY: test-laptop
test-laptop: setup examples stores ## All tests but those on a real Kubernetes
	@echo "· running the tests that need no cluster ($(WORKERS) workers)"
	@$(PYTEST) $(SPREAD) --durations=15 $(COVERAGE) $(ON_LAPTOP)

.PHONY: check
check: setup ## Formatting, lint, import layers, types
	@echo "· ruff, import-linter, mypy"
	@$(RUN) ruff format --check -q .
	@$(RUN) ruff check -q .
	@$(RUN) lint-imports --no-cache --config pyproject.toml > .lint-imports.log 2>&1 || { cat .lint-imports.log; exit 1; }
	@$(RUN) mypy --no-error-summary

.PHONY: test-fast
test-fast: setup ## Unit, property, golden and contract tests only (seconds)
	@$(PYTEST) -q $(SPREAD) $(COVERAGE) tests/unit tests/property tests/golden tests/contract

.PHONY: test-engine
test-engine: setup examples stores ## Tests on the running laptop engine only
	@$(PYTEST) -q $(SPREAD) tests/behaviour tests/integration

##@ A real Kubernetes, for tests (tests/cluster/README.md; needs root)
RIG := PYTHONPATH=tests/cluster:tests/support:images $(RUN) python -m rig

.PHONY: cluster
cluster: setup ## Build (once, 18 minutes) and start it; prints what to export
	@$(RIG) up

.PHONY: images
images: setup stores ## Build the images of operator, runtime and registry (needs root for Debian's packages)
	@PYTHONPATH=tests/support $(RUN) python images/image_build.py

.PHONY: cluster-images
cluster-images: images cluster ## Give the cluster's node the images of this checkout; tells the chart's values
	@PYTHONPATH=tests/cluster:tests/support:images $(RUN) python tests/support/cluster_installation.py

.PHONY: cluster-down
cluster-down: setup ## Stop it; nothing of it is left but what was built
	@$(RIG) down

.PHONY: cluster-status
cluster-status: setup ## Tell which of its processes run
	@$(RIG) status

.PHONY: cluster-reset
cluster-reset: setup ## Remove what tests made in it
	@$(RIG) reset

# On another cluster there is no node of ours to give images to, and no audit log to read.
OWN_CLUSTER := $(if $(SLIPWAY_TEST_KUBECONFIG),,cluster images)
OWN_TESTS := test_chart.py test_chart_rendering.py test_crash_plans.py test_delete.py test_exposure.py test_hostnames.py test_images.py test_kustomize.py \
	test_gateway_stopped.py test_network_policies.py test_other_writers.py test_platform.py test_quiet.py test_rollout_troubles.py test_serving_troubles.py test_whole.py test_zz_rights.py
LEFT_OUT := $(if $(SLIPWAY_TEST_KUBECONFIG),$(OWN_TESTS:%=--ignore=tests/cluster/%))
# Their operators watch namespaces of their own, or there is none: three at a time, as they wait
# much. The longest come first.
APART := $(addprefix tests/cluster/,test_crash_plans.py test_api_faults.py test_serving_troubles.py test_quiet.py test_delete.py) \
	$(if $(SLIPWAY_TEST_KUBECONFIG),,tests/behaviour) \
	$(addprefix tests/cluster/,test_rollout_troubles.py test_whole.py test_network_policies.py test_hostnames.py test_other_writers.py test_exposure.py \
	test_chart_rendering.py test_troubles.py test_platform.py test_crd.py)

.PHONY: test-cluster
test-cluster: test-cluster-apart ## Tests on the real Kubernetes
	@$(MAKE) --no-print-directory test-cluster-alone

.PHONY: test-cluster-apart
test-cluster-apart: WORKERS = 3
test-cluster-apart: setup examples stores $(OWN_CLUSTER)
	@echo "· running the tests on the cluster that can be run side by side"
	@SLIPWAY_TEST_PLACE=cluster $(PYTEST) -q $(SPREAD) --durations=15 \
	  $(filter-out $(patsubst --ignore=%,%,$(LEFT_OUT)),$(APART))

.PHONY: test-cluster-alone
test-cluster-alone: setup examples stores $(OWN_CLUSTER)
	@echo "· running those that need all of the cluster"
	@SLIPWAY_TEST_RIGHTS=all $(PYTEST) -q --durations=15 $(LEFT_OUT) $(APART:%=--ignore=%) tests/cluster

.PHONY: quiet
quiet: setup stores images cluster ## Watch MODELS=50 ready models for MINUTES=30: the operator writes nothing
	@SLIPWAY_QUIET_MODELS=$(or $(MODELS),50) SLIPWAY_QUIET_MINUTES=$(or $(MINUTES),30) $(PYTEST) -q --timeout=0 tests/cluster/test_quiet.py

##@ Measure
.PHONY: campaign-crash
campaign-crash: setup examples stores cluster images ## Kill the operator around every write of a life (docs/reliability.md)
	@PYTHONPATH=tests/cluster:tests/support:images $(RUN) python tests/support/crash_campaign.py

.PHONY: simulate-rollouts
simulate-rollouts: setup ## Simulate 2,000 rollouts of each kind, healthy and not (docs/rollout-statistics.md)
	@$(RUN) python tests/support/rollout_simulation.py

.PHONY: fuzz-onnx
fuzz-onnx: setup ## Give 2,000 mutated ONNX files to the build (minutes)
	@$(RUN) python tests/support/onnx_fuzz.py 2000

.PHONY: bench
bench: setup examples ## Measure: time to the first answer, throughput against other servers (docs/benchmarks.md)
	@$(RUN) python tests/bench/run.py && $(RUN) python tests/bench/serving_throughput.py

.PHONY: bench-rollouts
bench-rollouts: setup ## Measure rollouts on the laptop engine: how they end and when, what requests notice (RUNS=10: ten minutes)
	@SLIPWAY_BENCH_RUNS=$(or $(RUNS),10) PYTHONPATH=tests/support $(RUN) python tests/bench/rollouts.py

.PHONY: bench-operator
bench-operator: setup examples stores cluster images ## Measure the operator: a life, 50 and 1,000 models (half an hour)
	@PYTHONPATH=tests/cluster:tests/support:images $(RUN) python tests/bench/operator_life.py
	@PYTHONPATH=tests/cluster:tests/support:images $(RUN) python tests/bench/operator_scale.py

.PHONY: coverage-sklearn
coverage-sklearn: setup ## Send all of scikit-learn through the conversion and judge it (docs/conversion.md)
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(RUN) python tests/coverage/measure_sklearn.py

.PHONY: coverage-families
coverage-families: setup ## Measure what a conversion costs and brings, a model a family (docs/conversion.md)
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(RUN) python tests/coverage/families.py

.PHONY: coverage-boosters
coverage-boosters: setup ## Build every kind of XGBoost, LightGBM and CatBoost model, compare (docs/conversion-boosters.md)
	@OMP_NUM_THREADS=1 $(RUN) python tests/coverage/boosters.py

##@ Change
.PHONY: fix
fix: setup ## Format and mend what ruff can mend
	@$(RUN) ruff format -q . && $(RUN) ruff check -q --fix .

.PHONY: golden
golden: setup ## Rewrite the golden stories; read the difference before you commit it
	@SLIPWAY_GOLDEN=write $(PYTEST) -q tests/golden

.PHONY: generate
generate: setup ## Write the CRD, the generated pages, and manifests/ from the chart (needs helm)
	@$(RUN) python -m slipway_operator.api.crd && $(RUN) python tests/support/chart_readme.py
	@PYTHONPATH=tests/cluster:tests/support:images $(RUN) python tests/support/kustomize_rendering.py

.PHONY: clean
clean: ## Remove what builds left in this folder (not ~/.cache/slipway)
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage* .lint-imports.log $(LAPTOP_LOG)
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
