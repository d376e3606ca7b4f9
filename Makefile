# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# The verbs.  Meson and ninja do the work; each verb installs the Debian packages it needs first.
#
#	make demo	replay every recorded trace, draw one of them
#	make test	everything that has to pass, sanitizers and misuses included
#	make check	the fast part of it: one build, no sanitizers
#	make explore	every schedule of small scenarios, and the defects planted in them; QUICK=1
#	make bench	measured beside its peers, as ratios; QUICK=1
#	make soak	the long runs: random calls beside the kernel, threads under sanitizers
#	make lint	format, static analysis, layers
#	make install	library, headers, pkg-config file and the vmarea command; PREFIX, DESTDIR

BUILD	?= build
PREFIX	?= /usr/local
MESON	 = meson setup --prefix='$(PREFIX)'

.PHONY: all demo test check check-handles explore bench soak lint install clean deps

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

deps:
	@scripts/deps.sh build

$(BUILD)/build.ninja: | deps
	$(MESON) $(BUILD)

demo: all
	@scripts/demo.sh $(BUILD)

check: all
	meson test -C $(BUILD) --no-suite long --print-errorlogs

test:
	@scripts/deps.sh build test
	@scripts/test.sh

check-handles:
	@scripts/deps.sh test
	@tests/misuse/run.py
	@tests/misuse/mutate.py --all

explore: $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet tests/explore/explore
	@tests/explore/explore.py --build $(BUILD) $(if $(QUICK),--quick)

bench:
	@scripts/deps.sh build bench
	@QUICK=$(QUICK) scripts/bench.sh

soak:
	@scripts/deps.sh build test
	@scripts/soak.sh

lint:
	@scripts/deps.sh build lint
	@scripts/lint.sh

# A build that is there already was set up for some other prefix, perhaps.
install: all
	$(if $(filter-out file,$(origin PREFIX)),meson configure $(BUILD) -Dprefix='$(PREFIX)' && ninja -C $(BUILD))
	meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf build build-* demo-out
