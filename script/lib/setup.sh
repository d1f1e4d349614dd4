# shellcheck shell=bash
# What every script sources first.  On a fresh Debian 12 whose only user is root, the first
# command anybody runs must work: each function here makes sure of one thing, installs it where
# it is missing, says so, and is quick when it is there.
#
#   say TEXT...              a line of progress
#   die TEXT...              a line to stderr, exit 1
#   step LABEL LOG CMD...    CMD, quiet, into build/logs/LOG; the log's end where it fails
#   need_apt PACKAGE...      Debian packages
#   need_compiler            what any build needs
#   need_node                node >= 20.9 and npm, first on PATH
#   node_of MAJOR            the path of a node of that release, in $REPLY
#   need_npm DIR SPEC...     npm packages in build/tools/DIR, found at build/tools/DIR/node_modules
#   need_node_headers        node_api.h; its folder in $LARDER_NODE_HEADERS
#   configure PRESET [ARG..] cmake, into build/PRESET
#   build PRESET [ARG...]    the same, and all of it built
#   prebuild                 the addon and its drivers where the npm package looks for them
#
# Sets LARDER_ROOT (the checkout), LARDER_BUILD_DIR, LARDER_LOGS, LARDER_TOOLS and LARDER_JOBS, none of them
# exported: the core refuses LARDER_* variables that it does not know.  From the environment:
# SCRIPT_BUILD_DIR (default build/), SCRIPT_JOBS (default: all cores).

LARDER_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
LARDER_BUILD_DIR=${SCRIPT_BUILD_DIR:-$LARDER_ROOT/build}
LARDER_LOGS=$LARDER_BUILD_DIR/logs
LARDER_TOOLS=$LARDER_BUILD_DIR/tools
LARDER_JOBS=${SCRIPT_JOBS:-$(nproc)}
mkdir -p "$LARDER_LOGS" "$LARDER_TOOLS"

say() { printf '%s\n' "$*"; }

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Colour-free and line by line, so that a log file and a terminal show the same.
step() {
    local label=$1 log=$LARDER_LOGS/$2 begin=$SECONDS
    shift 2
    printf '%s ... ' "$label"
    if "$@" >"$log" 2>&1 </dev/null; then
        printf 'ok (%d s)\n' $((SECONDS - begin))
        return 0
    fi
    printf 'FAILED (%d s)\n' $((SECONDS - begin))
    tail -n 40 "$log" | sed 's/^/    /'
    printf '    (all of it: %s)\n' "${log#"$LARDER_ROOT"/}"
    return 1
}

# ---- Debian packages -------------------------------------------------------------------------

apt_missing() {
    local package
    for package; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s ' "$package"
    done
}

# In a subshell of its own, so that its EXIT trap takes policy-rc.d away whatever happens.
apt_install() (
    export DEBIAN_FRONTEND=noninteractive
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        # 101: "action forbidden by policy".  A package with a server in it must not start one.
        printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy || exit 1
    fi
    # Waits for another apt that is running, instead of failing at once.
    if [ -z "${SCRIPT_APT_UPDATED:-}" ]; then
        apt-get -q -o DPkg::Lock::Timeout=300 update || exit 1
    fi
    apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"
)

need_apt() {
    local missing
    if ! command -v dpkg-query >/dev/null; then
        [ -n "${SCRIPT_NO_DPKG_SAID:-}" ] || say "not a Debian: make sure yourself that there is the like of: $*"
        SCRIPT_NO_DPKG_SAID=1
        return 0
    fi
    missing=$(apt_missing "$@")
    [ -n "$missing" ] || return 0
    missing=${missing% }
    if [ "$(id -u)" != 0 ]; then
        die "missing Debian packages; as root: apt-get install --no-install-recommends $missing"
    fi
    # shellcheck disable=SC2086  # a list of names
    step "installing ${missing// /, }" apt.log apt_install $missing || exit 1
    export SCRIPT_APT_UPDATED=1
}

need_compiler() {
    need_apt gcc libc6-dev make cmake pkg-config libzstd-dev libxxhash-dev libcjson-dev libcunit1-dev libsqlite3-dev \
        libcurl4-openssl-dev libssl-dev libmemcached-dev libhiredis-dev
}

# ---- Node.js ---------------------------------------------------------------------------------

npm_arch() {
    case $(uname -m) in
        x86_64) REPLY=x64 ;;
        aarch64) REPLY=arm64 ;;
        *) die "no Node.js package is known for $(uname -m)" ;;
    esac
}

node_is_recent() {
    # shellcheck disable=SC2016  # JavaScript
    "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number);
             process.exit(a > 20 || (a === 20 && b >= 9) ? 0 : 1)' >/dev/null 2>&1
}

npm_install() {
    local dir=$1
    shift
    mkdir -p "$dir" || return 1
    [ -e "$dir/package.json" ] || printf '{"private": true}\n' >"$dir/package.json"
    (cd "$dir" && npm install --no-audit --no-fund --no-update-notifier --ignore-scripts "$@")
}

# The list of what was asked for stands beside node_modules: another list installs anew.
need_npm() {
    local name=$1 dir=$LARDER_TOOLS/$1
    shift
    if [ "$(cat "$dir/.larder-installed" 2>/dev/null)" = "$*" ]; then
        return 0
    fi
    rm -rf "$dir"
    local shown
    shown=$(printf '%s\n' "$@" | grep -v '^--' | paste -sd' ')
    step "fetching $shown from npm" "npm-$name.log" npm_install "$dir" "$@" || exit 1
    printf '%s\n' "$*" >"$dir/.larder-installed"
}

need_node() {
    if command -v npm >/dev/null && command -v node >/dev/null && node_is_recent node; then
        return 0
    fi
    local bin=$LARDER_TOOLS/node22/node_modules/.bin
    if ! node_is_recent "$bin/node" || [ ! -e "$bin/npm" ]; then
        # Debian 12 has Node.js 18, too old for Next.js 16, but good enough to run npm once.
        # Its npm resolves modules in Debian's own way, which no other node knows: so npm comes
        # along with the node that it is to run on.
        npm_arch
        need_apt nodejs npm ca-certificates
        need_npm node22 "node-linux-$REPLY@22" npm@10
    fi
    export PATH=$bin:$PATH
    hash -r
    # Debian's node trusts what the system trusts and its npm reads /etc/npmrc; those from npm do
    # neither.  A machine behind a mirror or a proxy has its certificate and its settings there.
    if [ -z "${NODE_EXTRA_CA_CERTS:-}" ] && [ -e /etc/ssl/certs/ca-certificates.crt ]; then
        export NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
    fi
    if [ -z "${NPM_CONFIG_GLOBALCONFIG:-}" ] && [ -e /etc/npmrc ]; then
        export NPM_CONFIG_GLOBALCONFIG=/etc/npmrc
    fi
    node_is_recent node || die "the node at $bin does not run"
}

# shellcheck disable=SC2034  # REPLY is the answer
node_of() {
    local major=$1
    need_node
    if [ "$(node -p 'process.versions.node.split(".")[0]')" = "$major" ]; then
        REPLY=$(command -v node)
        return 0
    fi
    npm_arch
    need_npm "node$major" "node-linux-$REPLY@$major"
    REPLY=$LARDER_TOOLS/node$major/node_modules/.bin/node
}

need_node_headers() {
    local dir major
    for dir in "${LARDER_NODE_HEADERS:-}" /usr/include/node; do
        if [ -n "$dir" ] && [ -e "$dir/node_api.h" ]; then
            # Debian's own are those of Node.js 18.
            major=$(sed -n 's/^#define NODE_MAJOR_VERSION //p' "$dir/node_version.h" 2>/dev/null) || true  # npm's have none
            if [ -z "$major" ] || [ "$major" -ge 20 ]; then
                LARDER_NODE_HEADERS=$dir
                return 0
            fi
        fi
    done
    need_node
    need_npm headers node-api-headers@1
    LARDER_NODE_HEADERS=$LARDER_TOOLS/headers/node_modules/node-api-headers/include
    export LARDER_NODE_HEADERS
}

# ---- building --------------------------------------------------------------------------------

# configure PRESET [ARG...]: further arguments go to CMake, as in: configure dev -DLARDER_NODE=OFF
configure() {
    local preset=$1
    shift
    need_compiler
    case $preset in clang | fuzz) need_apt clang ;; esac
    case $preset in fuzz) need_apt libclang-rt-14-dev ;; esac
    need_node_headers
    step "configuring ($preset)" "configure-$preset.log" \
        cmake -S "$LARDER_ROOT" -B "$LARDER_BUILD_DIR/$preset" --preset "$preset" \
        -DLARDER_NODE_HEADERS="$LARDER_NODE_HEADERS" "$@"
}

build() {
    configure "$@" || return 1
    step "building ($1)" "build-$1.log" cmake --build "$LARDER_BUILD_DIR/$1" -j "$LARDER_JOBS"
}

# bindings/node/prebuilds/PLATFORM-ARCH, from the release build: what the npm package ships, and
# what the tests and the example load.  Builds no more than that.
prebuild() {
    configure release || return 1
    step "building the addon and its drivers" prebuild.log \
        cmake --build "$LARDER_BUILD_DIR/release" --target larder_prebuild -j "$LARDER_JOBS"
}
