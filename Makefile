# Thin: each target runs what a person would type. CMakePresets.json says how things are built.
PRESET ?= dev
JOBS ?= $(shell nproc)
TESTERS ?= $(JOBS)

.DEFAULT_GOAL := help
.PHONY: help deps build demo test bench fuzz lint format
.PHONY: cluster-tools cluster-all cluster cluster-shell cluster-test cluster-stories cluster-rayfix

help:
	@echo 'make demo    build rayfix, send sample pods through it over TLS, show what it fixes'
	@echo 'make test    build it (PRESET=$(PRESET)) and run every test and lint check'
	@echo 'make lint    only the lint checks'
	@echo 'make bench   measure it against nginx (about six minutes)'
	@echo 'make fuzz    search for inputs that break it, SECONDS=60 for each target (clang)'
	@echo 'make cluster a real Kubernetes with KubeRay in namespaces of its own, until Ctrl-C (root)'
	@echo 'make cluster-shell, cluster-test, cluster-tools: docs/cluster.md'
	@echo 'make image   the container image, into build/image (buildah); make image-test looks at it'
	@echo 'make format  clang-format every C file in place'
	@echo 'make deps    install the packages that are missing (demo and test do it too)'

deps:
	@.ci/deps

build: deps
	@cmake --preset $(PRESET) --log-level=WARNING
	@cmake --build --preset $(PRESET) -j $(JOBS)

demo: deps
	@cmake --preset release --log-level=WARNING
	@cmake --build --preset release --target rayfix -j $(JOBS)
	@examples/demo.py --rayfix build/release/rayfix

test: build
	@ctest --preset $(PRESET) -j $(TESTERS)

lint: build
	@ctest --preset $(PRESET) -L lint -j $(JOBS)

bench:
	@.ci/deps bench
	@cmake --preset release --log-level=WARNING
	@cmake --build --preset release --target rayfix validate_cost -j $(JOBS)
	@build/release/validate_cost
	@tests/bench/bench.py --rayfix build/release/rayfix $(BENCH_FLAGS)

# What it finds lies in build/fuzz: tests/fuzz/README.md.
SECONDS ?= 60
FUZZED ?= review configuration manifest quantity
fuzz:
	@.ci/deps fuzz
	@cmake --preset fuzz --log-level=WARNING
	@cmake --build --preset fuzz --target $(addprefix fuzz_,$(FUZZED)) -j $(JOBS)
	@for target in $(FUZZED); do (cd build/fuzz && tests/fuzz/fuzz_$$target -max_total_time=$(SECONDS) \
	  -timeout=10 -rss_limit_mb=4096 -print_final_stats=1 -artifact_prefix=$$target- \
	  seeds/$$target) || exit 1; done

# The container image: docs/image.md.
.PHONY: image image-test
image:
	@deploy/image/build

image-test:
	@tests/image/image_test.py

format:
	@find . \( -name build -o -name 'build-*' -o -name .git \) -prune -o -name '*.[ch]' -print0 | xargs -0 clang-format -i

# A real Kubernetes: docs/cluster.md. NODES is the number of fake nodes, RUN names a cluster. The
# stories run in BEDS clusters with RAY_VERSION; those that depend on Ray also with ALSO_RAY.
NODES ?= 2
BEDS ?= 3
RAY_VERSION ?= 2.46.0
ALSO_RAY ?= 2.60.0
CLUSTER = tests/cluster/cluster.py
# Two runs in one clone take turns where they install and build.
LOCKED = @mkdir -p build/cluster && flock build/cluster/.lock-make

cluster-tools:
	$(LOCKED) tests/cluster/deps
	@$(CLUSTER) tools

cluster-all:
	$(LOCKED) tests/cluster/deps
	@$(CLUSTER) tools $(addprefix --ray ,$(RAY_VERSION) $(ALSO_RAY))
	$(LOCKED) tests/deploy/programs.py

cluster-rayfix:
	$(LOCKED) .ci/deps
	$(LOCKED) cmake --preset release --log-level=WARNING
	$(LOCKED) cmake --build --preset release --target rayfix wait-gcs-static -j $(JOBS)

cluster: cluster-rayfix cluster-tools
	@$(CLUSTER) up $(if $(RUN),--run $(RUN)) --fake-nodes $(NODES) --rayfix build/release/rayfix

cluster-shell:
	@$(CLUSTER) shell $(if $(RUN),--run $(RUN))

ifdef USE_EXISTING_CLUSTER
cluster-test cluster-stories:
	@$(CLUSTER) test $(STORIES)
else
cluster-test: cluster-rayfix cluster-all
	@tests/cluster/bed_test.py
	@tests/deploy/render_test.py
	@$(MAKE) --no-print-directory cluster-stories

cluster-stories: cluster-rayfix cluster-all
	@RAY_VERSION=$(RAY_VERSION) $(CLUSTER) test $(if $(RUN),--run $(RUN)) --beds $(BEDS) \
	  --fake-nodes $(NODES) --rayfix build/release/rayfix $(addprefix --also-ray ,$(ALSO_RAY)) $(STORIES)
endif
