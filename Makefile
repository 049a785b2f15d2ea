# subrank: everything is built and run from here. `make help` lists the targets.
#
# Non-recursive. Objects live in build/<variant>/; a variant is "release" or, with SAN=address,undefined, "san".
SHELL := /bin/bash
CC ?= gcc
SAN ?=
VARIANT := $(if $(SAN),san,release)
B := build/$(VARIANT)

LIBS_PROTO := jansson nettle libxxhash gmp zlib libarchive libjpeg libpng
LIBS_SERVER := libmicrohttpd libuv sqlite3 gnutls
LIBS_WORKER := libcurl openblas
WARN := -Wall -Wextra -Wconversion -Wshadow -Wvla -Werror
OPT ?= -O2 -g
CFLAGS_ALL = -std=c11 -D_GNU_SOURCE -I. -I$(B) $(OPT) -ffp-contract=off -pthread $(WARN) -MMD -MP \
	$(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer) $(CFLAGS)
LDFLAGS_ALL = -pthread $(if $(SAN),-fsanitize=$(SAN)) $(LDFLAGS)
pkg = $(shell pkg-config --$(1) $(2) 2>/dev/null)

PROTO_SRC := $(sort $(wildcard proto/*.c proto/*/*.c))
SERVER_SRC := $(sort $(wildcard server/*.c))
WORKER_SRC := $(sort $(wildcard worker/*.c worker/*/*.c worker/*/*/*.c))
obj = $(patsubst %.c,$(B)/%.o,$(1))
PROTO_OBJ := $(call obj,$(PROTO_SRC))
SERVER_OBJ := $(call obj,$(SERVER_SRC))
WORKER_OBJ := $(call obj,$(WORKER_SRC))
SERVER_LIB := $(filter-out $(B)/server/main.o,$(SERVER_OBJ))
WORKER_LIB := $(filter-out $(B)/worker/main.o,$(WORKER_OBJ))
UNIT := $(foreach p,proto server worker,$(if $(wildcard tests/unit/$(p)/test_*.c),$(B)/unit-$(p)))

.PHONY: bench-workers rank-macro parity torture torture-short bench-fleet all server worker check unit clean help deps lint gen test e2e webui check-webui test-web screenshots demo test-slurm install
all: server worker

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 18

deps: ## install what building and testing needs (Debian packages; sudo when not root)
	@deploy/install-deps.sh

server: $(B)/subrankd ## the coordinator
worker: $(B)/subrank-worker ## the worker

$(B)/subrankd: $(SERVER_OBJ) $(B)/libproto.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(call pkg,libs,$(LIBS_SERVER) $(LIBS_PROTO)) -lm
$(B)/subrank-worker: $(WORKER_OBJ) $(B)/libproto.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(call pkg,libs,$(LIBS_WORKER) $(LIBS_PROTO)) -lm
$(B)/libproto.a: $(PROTO_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(B)/unit-proto: $(call obj,$(wildcard tests/unit/*.c tests/unit/proto/*.c)) $(B)/libproto.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(call pkg,libs,$(LIBS_PROTO)) -lm
$(B)/unit-server: $(call obj,$(wildcard tests/unit/*.c tests/unit/server/*.c)) $(SERVER_LIB) $(B)/libproto.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(call pkg,libs,$(LIBS_SERVER) $(LIBS_PROTO)) -lm
$(B)/unit-worker: $(call obj,$(wildcard tests/unit/*.c tests/unit/worker/*.c)) $(WORKER_LIB) $(B)/libproto.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(call pkg,libs,$(LIBS_WORKER) $(LIBS_PROTO)) -lm

# A fleet of workers without compute, for load and torture.
FLEET_OBJ := $(call obj,$(sort $(wildcard tests/fleet/*.c)))
$(B)/fleet-sim: $(FLEET_OBJ) $(B)/libproto.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(call pkg,libs,$(LIBS_PROTO)) -lm

# Libraries that torture tests load into the released programs.
$(B)/lib%.so: tests/torture/%.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE $(OPT) $(WARN) -Wno-pedantic -fPIC -shared -o $@ $< -ldl -pthread
TORTURE := $(B)/fleet-sim $(patsubst tests/torture/%.c,$(B)/lib%.so,$(wildcard tests/torture/*.c))

# The schema as a C string, so that the program carries it.
$(B)/schema.sql.h: schema.sql
	@mkdir -p $(@D)
	{ echo 'static const char schema_sql[] ='; sed -e 's/--.*$$//' -e 's/[[:space:]]*$$//' -e '/^$$/d' -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/"&\\n"/' $<; echo ';'; } > $@
# The same for the steps from older versions: rows of {version, name, text}.
MIGRATIONS := $(sort $(wildcard deploy/migrate/[0-9][0-9][0-9][0-9]_*.sql))
$(B)/migrate.inc: $(MIGRATIONS)
	@mkdir -p $(@D)
	{ for f in $^; do n=$${f##*/}; echo "{1$${n%%_*} - 10000, \"$$n\","; sed -e 's/--.*$$//' -e 's/[[:space:]]*$$//' -e '/^$$/d' -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/"&\\n"/' $$f; echo '},'; done; } > $@
$(B)/server/migrate.o: $(B)/schema.sql.h $(B)/migrate.inc

# Kernels for one instruction set live in files named for it; everything else is baseline code.
$(B)/%_avx2.o: CFLAGS += -mavx2 -mfma
$(B)/%_avx512.o: CFLAGS += -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma
$(B)/%_generic.o: CFLAGS += -ffp-contract=fast
$(B)/tests/unit/worker/kernels_wide_avx2.o: OPT := -O0
# Unrolled kernels take minutes to compile with sanitizers at full optimisation.
$(if $(SAN),$(B)/worker/engine/cpu/kernels_%.o: OPT := -O1)
$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) $(call pkg,cflags,$(LIBS_PROTO) $(if $(filter server/% tests/unit/server/%,$<),$(LIBS_SERVER)) $(if $(filter worker/% tests/unit/worker/%,$<),$(LIBS_WORKER))) -c -o $@ $<

unit: $(UNIT) ## unit tests; T='glob' picks some
	@set -e; for u in $(UNIT); do echo "== $$u"; $(if $(SAN),TEST_ALARM=1200) $$u $(if $(T),'$(T)'); done

# One target per tests/fuzz/fuzz_<name>.c. Fuzzing needs clang; replaying the corpus does not.
FUZZ := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
SECS ?= 60
fuzz-list: ## the fuzz targets; fuzz-<name> SECS=60 fuzzes one (clang), keeping what it finds under build/fuzz
	@echo $(FUZZ)
$(FUZZ:%=fuzz-%): fuzz-%:
	@mkdir -p build/fuzz/corpus-$*
	$(MAKE) --no-print-directory CC=clang B=build/fuzz SAN=fuzzer-no-link,address,undefined build/fuzz/fuzz-$*
	build/fuzz/fuzz-$* -max_total_time=$(SECS) -timeout=20 -rss_limit_mb=3000 -print_final_stats=1 -verbosity=0 \
		-artifact_prefix=build/fuzz/$*- build/fuzz/corpus-$* tests/fuzz/corpus/$*
build/fuzz/fuzz-%: build/fuzz/tests/fuzz/fuzz_%.o build/fuzz/libproto.a
	clang -pthread -fsanitize=fuzzer,address,undefined -o $@ $(filter %.o,$^) $(filter %.a,$^) $(call pkg,libs,$(LIBS_PROTO)) -lm
# What two of them test besides libproto.
build/fuzz/fuzz-request: $(patsubst $(B)/%,build/fuzz/%,$(SERVER_LIB))
build/fuzz/fuzz-wire: build/fuzz/worker/wire.o
$(B)/replay-request: $(SERVER_LIB)
$(B)/replay-wire: $(B)/worker/wire.o
fuzz-replay: $(FUZZ:%=$(B)/replay-%) ## run every fuzz target over its committed corpus
	@set -e; for f in $(FUZZ); do $(B)/replay-$$f tests/fuzz/corpus/$$f; done
$(B)/replay-%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/replay.o $(B)/libproto.a
	$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(call pkg,libs,$(if $(filter request,$*),$(LIBS_SERVER)) $(LIBS_PROTO)) -lm
.PHONY: fuzz-list fuzz-replay $(FUZZ:%=fuzz-%)
.SECONDARY:

lint: ## house rules: include directions, banned calls, generated files fresh
	/usr/bin/python3 tests/check_layers.py
	/usr/bin/python3 proto/gen.py --check

gen: ## proto/api.def and the web client's types from proto/openapi.yaml
	/usr/bin/python3 proto/gen.py

e2e: all ## system tests: real processes over HTTP, every operation of the contract; K='expression' picks some
	$(if $(K),,SUBRANK_CONTRACT=full) /usr/bin/python3 -m pytest -q -rs tests/e2e $(if $(K),-k '$(K)')

torture: all $(TORTURE) ## kill, cut the power, starve and confuse the coordinator, in full (an hour); K='expression' picks some
	SUBRANK_TORTURE=full /usr/bin/python3 -m pytest -q -rs -s tests/torture $(if $(K),-k '$(K)')

torture-short: all $(TORTURE) ## the same in minutes, as `make test` runs it
	/usr/bin/python3 -m pytest -q -rs tests/torture $(if $(K),-k '$(K)')

bench-fleet: all $(B)/fleet-sim ## the coordinator under load, beside its bars; build/bench/fleet.json; N='name...' picks some
	/usr/bin/python3 tests/bench/bench_fleet.py $(N)

bench-workers: all ## throughput of two workers beside that of one; build/bench/workers.json
	/usr/bin/python3 tests/bench/bench_workers.py

rank-macro: all ## all 6,561 codes of NAS-Bench-Macro with two workers, and their correlation; most of an hour
	/usr/bin/python3 tests/bench/rank_macro.py $(DIR)

parity: all ## ten random codes of every space against PyTorch
	SUBRANK_CODES=10 /usr/bin/python3 -m pytest -q -rs -s tests/e2e/test_space_parity.py

test: ## install, build, run all tests
	@deploy/install-deps.sh --test
	$(MAKE) -j$$(nproc) all
	$(MAKE) lint
	$(MAKE) unit
	$(MAKE) -j$$(nproc) SAN=address,undefined unit
	$(MAKE) -j$$(nproc) SAN=address,undefined fuzz-replay
	$(MAKE) e2e
	$(MAKE) torture-short
	$(MAKE) check-webui test-web

# The dashboard is plain files that the coordinator serves; the coordinator builds and runs without them.
webui: webui/dist/index.html ## the dashboard (needs node and npm)
webui/node_modules/.package-lock.json: webui/package-lock.json
	cd webui && npm ci --no-audit --no-fund
	@touch $@
webui/dist/index.html: webui/node_modules/.package-lock.json webui/build.mjs $(shell find webui/src -type f)
	cd webui && node build.mjs

check-webui: webui/node_modules/.package-lock.json ## the dashboard's types
	cd webui && npx tsc --noEmit

test-web: all webui ## the dashboard in headless Chromium; K='expression' picks some
	/usr/bin/python3 -m pytest -q -rs tests/web $(if $(K),-k '$(K)')

screenshots: all webui ## every page of the dashboard, light and dark, wide and narrow, in build/screenshots
	/usr/bin/python3 tests/web/screenshots.py build/screenshots

bench-dashboard: all webui ## the dashboard with a million candidates in headless Chromium; prints figures beside their bars
	/usr/bin/python3 tests/bench/bench_dashboard.py

demo: ## install, build, rank a small supernet on two workers
	@MAKE='$(MAKE)' deploy/demo/demo.sh $(ARGS)

test-slurm: ## a real one-node Slurm cluster runs the job array of deploy/slurm
	@deploy/install-deps.sh --slurm
	$(MAKE) -j$$(nproc) all
	/usr/bin/python3 -m pytest -q -rs tests/slurm

# Units name the programs where they were installed.
PREFIX ?= /usr/local
install: all ## programs, dashboard, units and example settings, below DESTDIR
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/subrank $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -m 755 $(B)/subrankd $(B)/subrank-worker $(DESTDIR)$(PREFIX)/bin/
	if [ -e webui/dist/index.html ]; then cp -RT webui/dist $(DESTDIR)$(PREFIX)/share/subrank/webui; fi
	for u in subrankd subrank-worker; do \
		sed 's|/usr/local/bin/|$(PREFIX)/bin/|' deploy/systemd/$$u.service \
			> $(DESTDIR)$(PREFIX)/lib/systemd/system/$$u.service; done
	install -d $(DESTDIR)$(PREFIX)/share/subrank/examples
	install -m 644 deploy/subrankd.conf deploy/worker.conf deploy/kubernetes/workers.yaml \
		deploy/slurm/subrank-workers.sbatch $(DESTDIR)$(PREFIX)/share/subrank/examples/

# The kernels next to OpenBLAS, and to oneDNN where libdnnl-dev is installed. K='1x1*' picks shapes.
DNNL := $(wildcard /usr/include/dnnl.h)
$(B)/tests/bench/%.o: CFLAGS += $(call pkg,cflags,openblas)
$(B)/tests/bench/bench_dnnl.o: CFLAGS += $(if $(DNNL),-DHAVE_DNNL)
$(B)/bench-kernels: $(call obj,$(wildcard tests/bench/bench_*.c tests/bench/peak_*.c worker/engine/cpu/kernels*.c))
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(call pkg,libs,openblas) $(if $(DNNL),-ldnnl) -lm
.PHONY: bench-kernels test-arm
bench-kernels: $(B)/bench-kernels ## GF/s of the CPU kernels per shape
	OMP_NUM_THREADS=1 $(B)/bench-kernels '$(or $(K),*)'

.PHONY: bench-engine
bench-engine: all $(B)/bench-kernels ## our engine next to PyTorch; ARGS='--quick --only resnet20'
	/usr/bin/python3 tests/bench/bench_engine.py $(ARGS)

# Making plans and merging them.
$(B)/bench-plan: $(call obj,tests/bench/plans.c) $(B)/libproto.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(call pkg,libs,$(LIBS_PROTO)) -lm
.PHONY: bench-plan
bench-plan: $(B)/bench-plan ## plans a second per space, and the cost of merging; K='spaces' picks some
	$(B)/bench-plan $(foreach k,$(or $(K),nas-bench-macro spos-shufflenetv2 bossnas-mbconv bn-nas dna ofa-mbv3-w1.0 ofa-proxyless big-nas attentive-nas),proto/spaces/$(k).json)

# The plain kernels on another processor: their tests alone, static, under an emulator.
ARM_CC := aarch64-linux-gnu-gcc
ARM_SRC := worker/engine/cpu/kernels.c worker/engine/cpu/kernels_generic.c tests/unit/test.c \
	tests/unit/worker/kernel_ref.c tests/unit/worker/test_kernels.c
test-arm: ## kernel tests for aarch64 under qemu (deploy/install-deps.sh --arm)
	@mkdir -p build/arm
	$(ARM_CC) -std=c11 -D_GNU_SOURCE -I. -O2 -ffp-contract=fast $(WARN) -static -o build/arm/unit-kernels $(ARM_SRC) -lm
	TEST_ALARM=600 qemu-aarch64 build/arm/unit-kernels 'kernels*'

clean: ## remove build/
	rm -rf build

-include $(FLEET_OBJ:.o=.d) $(PROTO_OBJ:.o=.d) $(SERVER_OBJ:.o=.d) $(WORKER_OBJ:.o=.d) $(wildcard $(B)/tests/*/*.d $(B)/tests/*/*/*.d)
