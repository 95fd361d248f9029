# cache: an exact read-through cache inside PostgreSQL.
#
#   make                build                  make install      install (as root)
#   make demo           see it work            make check        all the tests
#   make check-bare     both, on a bare Debian that it makes: SUITE=bookworm
#   make check-core     PostgreSQL's own tests, without the library and with it
#   make torture        random load under the oracle: CLIENTS=8 TIME=120 SEED=1
#                       (REDIS=0: without Redis only, REDIS=1: with a hostile one,
#                       STANDBY=1: on a primary and two standbys)
#   make hitratio       the admission policy on a trace: TRACE=file SIZE=n
#   make bench          how fast it is: ROUNDS=5 SECTIONS="..." TRACES=directory
#
# check, check-core, demo, torture and bench first fetch what they need from the
# distribution (make deps); they run on a scratch server of their own, as an
# unprivileged user, and leave nothing behind but the installed extension.

EXTENSION = cache
EXTVERSION = 1.1

PG_CONFIG ?= pg_config
TOOLS = deps check check-bare check-core demo demo-stop torture hitratio bench

# The tools must work where PostgreSQL is not installed yet, and PGXS has a
# "check" of its own: so make reads either their rules or PGXS, never both.
ifeq (,$(filter $(TOOLS),$(MAKECMDGOALS)))

MODULE_big = cache
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c src/*/*.c)))
DATA = $(wildcard sql/cache--*.sql)
EXTRA_CLEAN = src/.built-* test/*/build test/bench/*/build test/bench/naive/naive.[os]*

# The tests need a server that preloads the library: never an existing one.
NO_INSTALLCHECK = 1

# PostgreSQL's own headers and idioms are not clean under these four of
# -Wextra: PG_FUNCTION_ARGS that are not used, lengthof() compared with an int,
# tables that end in {NULL}, and PG_TRY, whose setjmp the compiler guesses at.
PG_CFLAGS = -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -Wno-clobbered

# DEVEL=1: stop points and guard switches for the tests. Never in production.
override DEVEL := $(filter-out 0 no,$(DEVEL))
PG_CPPFLAGS = -Isrc $(if $(DEVEL),-DCACHE_DEVEL)

# PostgreSQL 15's headers leave out parameters, which C23, what newer compilers
# speak by themselves, takes to mean that there are none.
PG_CFLAGS += $(if $(filter 15,$(MAJORVERSION)),-std=gnu17)

# Calls between our own files need not go through the table of symbols that
# another library could override.
PG_CFLAGS += -fno-semantic-interposition
SHLIB_LINK = -lhiredis $(if $(filter linux,$(PORTNAME)),-Xlinker -Bsymbolic-functions)

# Which of these headers does the compiler find, all of them or none?
finds = $(shell printf '\043include <%s>\n' $(1) | $$($(PG_CONFIG) --cc) \
	$$($(PG_CONFIG) --cppflags) $(CPPFLAGS) -fsyntax-only -x c - 2>/dev/null && echo yes)

PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
SERVER_H := $(wildcard $(shell $(PG_CONFIG) --includedir-server 2>/dev/null)/postgres.h)
ifeq (,$(if $(PGXS),$(SERVER_H),))
LACK := $(shell PG_CONFIG='$(PG_CONFIG)' sh test/lib/deps.sh build)
else ifeq (,$(call finds,stdio.h hiredis/hiredis.h))
LACK := $(shell PG_CONFIG='$(PG_CONFIG)' sh test/lib/deps.sh build)
endif
ifneq (,$(LACK))
$(error missing: $(LACK). Install these packages, or run "make deps" as root)
endif

# TLS for Redis, where hiredis has it: since 1.0.
TLS := $(call finds,hiredis/hiredis.h hiredis/hiredis_ssl.h openssl/ssl.h)
ifneq (,$(TLS))
PG_CPPFLAGS += -DHIREDIS_HAS_TLS
SHLIB_LINK += -lhiredis_ssl -lssl -lcrypto
endif

# No bitcode: nothing here is worth inlining, and clang need not be there.
override with_llvm = no

include $(PGXS)

# Everything is rebuilt for another kind of build or another server. The stamp is
# made here and not by a rule: all of PGXS's files are .SECONDARY to make, and a
# missing one of those rebuilds nothing.
STAMP := src/.built-$(MAJORVERSION)$(if $(DEVEL),-devel)$(if $(TLS),-tls)
ifeq (,$(wildcard $(STAMP)))
$(shell rm -f src/.built-*; touch $(STAMP))
endif
$(OBJS): $(wildcard src/*.h src/*/*.h) $(STAMP)

else

SHELL = /bin/sh
export PG_CONFIG

.PHONY: $(TOOLS)

# What a tool needs first: the extension, built in its own way, for the PostgreSQL
# of this pg_config.
build = +@sh test/lib/step.sh "building for $$('$(1)' --version)" 'built and installed' \
	$(MAKE) $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc)) --no-print-directory -s \
	PG_CONFIG='$(1)' $(2) install

deps:
	@sh test/lib/deps.sh

# LAYERS="layout unit regress pgtap isolation tap torture" and TESTS="name ..." choose;
# the name of a folder of src/ stands for its tests: see test/README.md.
# OLDBINDIR: an older server's programs, for the test of pg_upgrade.
check:
	@sh test/lib/deps.sh install
	$(if $(OLDBINDIR),$(call build,$(OLDBINDIR)/pg_config,DEVEL=1))
	$(call build,$(PG_CONFIG),DEVEL=1)
	@LAYERS='$(LAYERS)' TESTS='$(TESTS)' OLDBINDIR='$(OLDBINDIR)' sh test/lib/check.sh

# SUITE, MIRROR: which Debian, and where from.
check-bare:
	@SUITE='$(SUITE)' MIRROR='$(MIRROR)' LAYERS='$(LAYERS)' TESTS='$(TESTS)' KEEP='$(KEEP)' \
		sh test/lib/bare.sh

# PG_SOURCE: PostgreSQL's sources, else they are fetched; VARIANTS="none preloaded
# extension others first last", SUITES="regress isolation plpgsql hstore ..." choose;
# DEVEL=1: the library of the tests.
check-core:
	@sh test/lib/deps.sh install
	$(call build,$(PG_CONFIG),DEVEL=$(DEVEL))
	@PG_SOURCE='$(if $(PG_SOURCE),$(abspath $(PG_SOURCE)))' VARIANTS='$(VARIANTS)' \
		SUITES='$(SUITES)' KEEP='$(KEEP)' sh test/core/core.sh

demo:
	@sh test/lib/deps.sh install
	$(call build,$(PG_CONFIG),DEVEL=)
	@KEEP='$(KEEP)' sh test/demo/demo.sh

demo-stop:
	@sh test/demo/stop.sh

torture:
	@sh test/lib/deps.sh install
	$(call build,$(PG_CONFIG))
	@CLIENTS='$(CLIENTS)' TIME='$(TIME)' SEED='$(SEED)' REDIS='$(REDIS)' STANDBY='$(STANDBY)' \
		sh test/torture/torture.sh

hitratio:
	+@$(MAKE) --no-print-directory -s -C test/hitratio hitratio \
		TRACE='$(abspath $(TRACE))' SIZE='$(SIZE)'

bench:
	@sh test/lib/deps.sh install
	$(call build,$(PG_CONFIG),DEVEL=)
	@ROUNDS='$(ROUNDS)' SECTIONS='$(SECTIONS)' TRACES='$(abspath $(TRACES))' \
		sh test/bench/bench.sh

# Any other goal on the same command line goes to PGXS.
OTHERS = $(filter-out $(TOOLS),$(MAKECMDGOALS))
ifneq (,$(OTHERS))
.PHONY: $(OTHERS)
$(OTHERS):
	+@$(MAKE) --no-print-directory $@
endif

endif
