# shellcheck shell=bash
# shellcheck disable=SC2034  # read by script/test
# The stages of script/test.  To add one: its name in `stages`, what it does in `about`, and a
# function stage_NAME, run in the checkout with set -eo pipefail, its output being the log.  What it
# prints is counted by count.awk: CUnit, node --test, ctest -V, or a line "N passed, N failed".

stages=(format scripts dev clang release asan tsan dynamodb s3 redis redis-cluster memcached valgrind fuzz model
    install js node20 node22 node24 node-asan node-tsan soak pack next-14 next-15 next-16 demo lint)
quick_stages="format scripts dev js node20"

# They wait for nothing and nobody times them: they run beside the others, in what those leave of the processors.
aside_stages="format clang fuzz model lint"
aside_limit=3600               # seconds for each, most of them waiting for their turn

declare -A about=(
    [format]="the C code is laid out by clang-format"
    [scripts]="what script/ itself does: the counting of tests, what drill and soak would find"
    [dev]="gcc, -O1: all C tests: units, drivers, ABI, crashes, histories, the command, corpora"
    [clang]="all builds with clang 14, without a warning"
    [release]="the same on what users get: gcc -O2, fortified; of the drivers' suite each driver once"
    [asan]="the same tests under AddressSanitizer, LeakSanitizer and UBSan; of the layers the whole stack alone, of fs the default settings"
    [tsan]="the same under ThreadSanitizer, less what threads do not matter for"
    [dynamodb]="the driver dynamodb against dynalite, with bad manners as well: in dev, and in part under asan"
    [s3]="the driver s3 against Ceph's gateway, with tags in dynalite, and with bad manners: in dev, and in part under asan"
    [redis]="the driver redis against redis-server, which hangs, dies and evicts: in dev, and in part under asan"
    [redis-cluster]="the same on clusters and with sentinels: failovers, resharding; in dev, and in part under asan"
    [memcached]="the driver memcached on one server and on three, killed, stopped and flushed: in dev, and in part under asan"
    [valgrind]="a chosen set of them under memcheck"
    [fuzz]="libFuzzer on each fuzz target for a short while, from its corpus"
    [model]="the model of epochs and marks: every interleaving"
    [install]="an installation: a program and a driver built against it by pkg-config and by CMake"
    [js]="the handlers in JavaScript, without the addon"
    [node20]="addon and handlers under Node.js 20"
    [node22]="addon and handlers under Node.js 22"
    [node24]="addon and handlers under Node.js 24"
    [node-asan]="the addon under AddressSanitizer, in an ordinary node"
    [node-tsan]="the addon under ThreadSanitizer, in an ordinary node"
    [soak]="script/soak --short: descriptors, threads and timers under load"
    [pack]="the npm package as it would be published: packed, installed, required"
    [next-14]="Next.js 14: next build, next start and requests"
    [next-15]="Next.js 15, the same"
    [next-16]="Next.js 16, the same, and script/drill --short: an outage"
    [demo]="script/demo --check, on each store that it knows"
    [lint]="clang-tidy, cppcheck, banned functions, shellcheck, node --check"
)

declare -A packages_of=(
    [format]="clang-format-14 git"
    [dev]="groff-base bsdextrautils zsh fish"
    [clang]="clang"
    [s3]="radosgw ceph-mon ceph-osd ceph-common"
    [memcached]="memcached sasl2-bin libsasl2-modules"
    [redis]="redis-server redis-tools openssl"
    [redis-cluster]="redis-server redis-tools openssl"
    [demo]="radosgw ceph-mon ceph-osd ceph-common redis-server redis-tools memcached"
    [valgrind]="valgrind"
    [fuzz]="clang libclang-rt-14-dev"
    [lint]="clang-tidy-14 cppcheck shellcheck git"
)

# Seconds after which a stage is stopped and counts as failed; 900 where none is given.
declare -A limit_of=([lint]=1800 [next-14]=1500 [next-15]=1500 [next-16]=1500 [node-tsan]=1500 [tsan]=1500)

asan_options="detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1"
ubsan_options="print_stacktrace=1"
tsan_options="halt_on_error=0:second_deadlock_stack=1:exitcode=66"

# What driver.memory.stack has together, each by itself: in dev.
layers='fault|meter|breaker|retry|compress|namespace'

run_ctest() {
    local preset=$1
    shift
    # -V: the single tests are counted from what they print.
    ctest --test-dir "$LARDER_BUILD_DIR/$preset" -V -j "$LARDER_JOBS" --no-tests=error "$@"
}

stage_format() {
    script/format --check
    printf '1 passed, 0 failed\n'
}

stage_scripts() {
    node --test --test-reporter=tap tests/script/*.test.js
}

stage_dev() {
    build dev
    run_ctest dev
}

stage_clang() {
    build clang
    printf '1 passed, 0 failed\n'
}

stage_release() {
    build release
    run_ctest release -E '^(history|conform\.bad|driver\.(memory|fs)[._])'
}

stage_asan() {
    build asan
    ASAN_OPTIONS=$asan_options UBSAN_OPTIONS=$ubsan_options run_ctest asan -E "^driver\.(memory\.($layers)|fs_)"
}

stage_tsan() {
    build tsan
    # Nor those whose subject is a process that is killed, a limit of the machine, or an example.
    TSAN_OPTIONS=$tsan_options run_ctest tsan \
        -E "^(driver\.(memory\.($layers|lossy)|fs_|skeleton)|crash\.|conform\.limited|cli\.archive)"
}

stage_dynamodb() {
    build dev
    tests/servers/dynamodb-tests dev
    build asan
    ASAN_OPTIONS=$asan_options UBSAN_OPTIONS=$ubsan_options tests/servers/dynamodb-tests asan
}

stage_s3() {
    build dev
    tests/servers/s3-tests dev
    build asan
    ASAN_OPTIONS=$asan_options UBSAN_OPTIONS=$ubsan_options tests/servers/s3-tests asan
}

stage_redis() {
    build dev
    tests/servers/redis-tests dev
    build asan
    ASAN_OPTIONS=$asan_options UBSAN_OPTIONS=$ubsan_options tests/servers/redis-tests asan
}

stage_redis_cluster() {
    build dev
    tests/servers/redis-group-tests dev
    build asan
    ASAN_OPTIONS=$asan_options UBSAN_OPTIONS=$ubsan_options tests/servers/redis-group-tests asan
}

stage_memcached() {
    build dev
    tests/servers/memcached-tests dev
    build asan
    ASAN_OPTIONS=$asan_options UBSAN_OPTIONS=$ubsan_options tests/servers/memcached-tests asan
}

# What handles bytes from outside, and owns memory in a way that is easy to get wrong.
stage_valgrind() {
    local bin=$LARDER_BUILD_DIR/dev/bin name bad=0
    build dev
    for name in buf frame text param config config_faults key marks lanes reactor namespace compress store loader; do
        [ -x "$bin/test_$name" ] || { echo "no test_$name"; bad=1; continue; }
        echo "== $name"
        LARDER_DRIVER_PATH=$LARDER_BUILD_DIR/dev/lib/larder valgrind --quiet --error-exitcode=9 --leak-check=full \
            --errors-for-leak-kinds=definite,indirect --fair-sched=try "$bin/test_$name" || bad=1
    done
    return $bad
}

# The corpora are replayed by ctest in every build.  Here they are where libFuzzer begins; what it
# finds on top is thrown away unless it crashes.
stage_fuzz() {
    local program name bad=0 passed=0 found
    build fuzz
    found=$(mktemp -d)
    for program in "$LARDER_BUILD_DIR"/fuzz/bin/fuzz_*; do
        name=${program##*/fuzz_}
        [ -d "tests/fuzz/corpus/$name" ] || continue
        mkdir "$found/$name"
        echo "== $name"
        if UBSAN_OPTIONS=$ubsan_options "$program" -seed=1 -runs=20000 -max_total_time=20 -print_final_stats=1 \
            -artifact_prefix="$LARDER_LOGS/" "$found/$name" "tests/fuzz/corpus/$name"; then
            passed=$((passed + 1))
        else
            bad=$((bad + 1))
        fi
    done
    rm -rf "$found"
    echo "$passed passed, $bad failed"
    [ $bad = 0 ]
}

stage_model() {
    tests/model/run
}

stage_install() {
    build release
    tests/install/run "$LARDER_BUILD_DIR/release"
}

# Named one by one: node would count helpers in a folder as tests that passed.
run_node_tests() {
    local node=$1
    shift
    cd bindings/node || return 1
    # shellcheck disable=SC2068  # patterns, of that folder
    "$node" --test --test-reporter=tap $@
}

stage_js() {
    local tests=() f
    for f in bindings/node/test/*.test.js; do
        case $f in */native*) ;; *) tests+=("${f#bindings/node/}") ;; esac
    done
    [ ${#tests[@]} -gt 0 ] || { echo "there are none"; return 1; }
    run_node_tests node "${tests[@]}"
}

node_tests() {
    prebuild
    cmake --build "$LARDER_BUILD_DIR/release" --target larder_node_tests aws_probe -j "$LARDER_JOBS"
    node_of "$1"
    "$REPLY" --version
    tls_in_node "$REPLY"
    run_node_tests "$REPLY" 'test/*.test.js'
}

# TLS of a driver uses the OpenSSL that is inside node: of each release another one.
tls_in_node() {
    local folder probe=$LARDER_BUILD_DIR/release/aws/probe.so
    folder=$(mktemp -d)
    drivers/aws/test/symbols "$(readlink -f "$1")" "$probe"
    "$1" drivers/aws/test/in_node.js "$probe" "$folder"
    rm -r "$folder"
    printf '2 passed, 0 failed\n'
}

stage_node20() { node_tests 20; }
stage_node22() { node_tests 22; }
stage_node24() { node_tests 24; }

node_sanitized() {
    build "$1"
    LARDER_NODE_ADDON=$LARDER_BUILD_DIR/$1/lib/larder.node bindings/node/test/run --sanitizer "$1"
}
stage_node_asan() { node_sanitized asan; }
stage_node_tsan() { node_sanitized tsan; }

stage_soak() {
    script/soak --short
}

stage_pack() {
    prebuild
    tests/pack/run
}

next_tests() {
    prebuild
    cmake --build "$LARDER_BUILD_DIR/release" --target larder_cli -j "$LARDER_JOBS"
    node tests/next/run.js "$1"
}
stage_next_14() { next_tests 14.2.35; }
stage_next_15() { next_tests 15.5.29; }
stage_next_16() { next_tests 16.4.6; }

stage_demo() {
    script/demo --check
    script/demo --check --store dynamodb
    script/demo --check --store s3
    script/demo --check --store s3 --tags redis
    script/demo --check --store redis
    script/demo --check --store memcached
}

stage_lint() {
    script/lint
}
