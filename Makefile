# Front doors:
#   make reproduce   install what is missing, build, run recipes/quick.yaml into runs/quick
#   make check       the same set-up, then every test, once for each instruction set this machine has
#   make check-mpi   the program with MPI (docs/clusters.md) and the tests of several ranks
# And: make (build/flavordiff), make install (PREFIX, DESTDIR), make deb, make bench, make docs, make lint, make coverage, make tsan,
# make valgrind, make clean.
MAKEFLAGS += --no-print-directory
BUILD ?= build
CMAKE_FLAGS ?=
PREFIX ?= /usr/local
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
# Waiting threads give up the processor soon: on a busy machine endless spinning costs half the speed, on a quiet one
# this costs nothing.
export GOMP_SPINCOUNT ?= 3000

# Results are read back by the tools they are for.
CHECK_PACKAGES = python3-h5py python3-matplotlib
MPI_PACKAGES = libopenmpi-dev openmpi-bin python3-h5py

.PHONY: all setup reproduce check check-mpi test lint coverage tsan valgrind install deb bench docs clean

all: $(BUILD)/CMakeCache.txt
	@cmake --build $(BUILD) --parallel $(JOBS)

$(BUILD)/CMakeCache.txt: CMakeLists.txt
	@cmake -S . -B $(BUILD) $(CMAKE_FLAGS)

setup:
	@sh scripts/setup.sh

reproduce: setup
	@$(MAKE) $(BUILD)/CMakeCache.txt
	@cmake --build $(BUILD) --parallel $(JOBS) --target flavordiff
	@$(BUILD)/flavordiff run recipes/quick.yaml -o runs/quick

check:
	@sh scripts/setup.sh $(CHECK_PACKAGES)
	@$(MAKE) all
	@$(MAKE) test

# The program with MPI, in a folder of its own, and the tests of several ranks on this machine.
check-mpi:
	@sh scripts/setup.sh $(MPI_PACKAGES)
	@cmake -S . -B $(BUILD)-mpi $(CMAKE_FLAGS) -DFLAVORDIFF_MPI=ON
	@cmake --build $(BUILD)-mpi --parallel $(JOBS) --target flavordiff
	@cd $(BUILD)-mpi && ctest --output-on-failure --no-tests=error -L mpi

# The kernels, the network and the samplers once for every instruction set below this machine's own.
test:
	@cd $(BUILD) && ctest --output-on-failure --no-tests=error
	@for isa in $$($(BUILD)/flavordiff version --isa-below); do \
	    echo "again with FLAVORDIFF_CPU=$$isa"; \
	    (cd $(BUILD) && FLAVORDIFF_CPU=$$isa ctest --output-on-failure --no-tests=error -L isa) || exit 1; \
	done

# Static analysis of src, include and examples; what is left out, and why: .clang-tidy and scripts/cppcheck.txt.
lint:
	@sh scripts/setup.sh clang libomp-dev clang-tidy cppcheck
	@sh scripts/lint.sh

# The test programs under the thread sanitizer, with two threads (TESTS: a pattern; all take 7 minutes of processor time). clang:
# the OpenMP runtime of gcc is not made for it, that of LLVM tells it (through Archer) where threads meet.
tsan:
	@sh scripts/setup.sh $(CHECK_PACKAGES) clang libomp-dev
	@cmake --preset tsan >/dev/null
	@cmake --build build-tsan --parallel $(JOBS)
	@cd build-tsan && OMP_NUM_THREADS=2 TSAN_OPTIONS=ignore_noninstrumented_modules=1 \
	    ctest --output-on-failure --no-tests=error -R '^test_$(TESTS)'

# Lines of src that the tests run; one thread, for threads share the counters. Left out: faults makes the writing of counts fail,
# installed links without them.
coverage:
	@sh scripts/setup.sh $(CHECK_PACKAGES) gcc gcovr
	@cmake --preset coverage >/dev/null
	@cmake --build build-coverage --parallel $(JOBS)
	@find build-coverage -name '*.gcda' -delete
	@cd build-coverage && OMP_NUM_THREADS=1 ctest --output-on-failure --no-tests=error -E '^(faults|faults_places|installed)$$'
	@gcovr -r . --object-directory build-coverage --filter src/ --fail-under-line 90

# Test programs under valgrind's memcheck; TESTS=all: all of them and the command line (long).
valgrind:
	@sh scripts/setup.sh $(CHECK_PACKAGES) valgrind
	@$(MAKE) all
	@sh scripts/memcheck.sh $(BUILD) $(TESTS)

# Program, libraries, headers, pkg-config file, target sets, recipes, examples.
PRODUCTS = flavordiff flavordiff_shared flavordiff_static
install:
	@cmake -S . -B $(BUILD) $(CMAKE_FLAGS) -DCMAKE_INSTALL_PREFIX=$(PREFIX)
	@cmake --build $(BUILD) --parallel $(JOBS) --target $(PRODUCTS)
	@DESTDIR=$(DESTDIR) cmake --install $(BUILD)

# build/flavordiff_VERSION_ARCHITECTURE.deb
deb:
	@cmake -S . -B $(BUILD) $(CMAKE_FLAGS) -DCMAKE_INSTALL_PREFIX=/usr
	@cmake --build $(BUILD) --parallel $(JOBS) --target $(PRODUCTS)
	@cd $(BUILD) && cpack -G DEB

bench: all
	@$(BUILD)/flavordiff bench

# docs/verbs.md is generated from the command table that also prints the help.
docs: all
	@$(BUILD)/flavordiff help --markdown > docs/verbs.md

clean:
	rm -rf $(BUILD)
