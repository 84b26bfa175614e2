# SPDX-License-Identifier: MIT
# build-lib.sh - what ./demo, ./test and the checks have in common (sourced after lib.sh; bash).

BUILD=$TOP/build/release

# tree_build PRESET TARGET...: builds these in build/PRESET, which becomes BUILD
tree_build() {
    local preset=$1 pocl what="Building runtime, samples and tests"
    shift
    BUILD=$TOP/build/$preset
    pocl=$("$TOP/runtime/pocl/build-pocl")
    lock_take "tree-$(hash_of "=$BUILD")"
    if [ ! -f "$BUILD/build.ninja" ] || [ "$(cat "$BUILD/pocl-used" 2>/dev/null)" != "$pocl" ]; then
        step "Configuring $preset" cmake -S "$TOP" --preset "$preset" "-DHMMSVM_POCL_DIR=$pocl"
        printf '%s\n' "$pocl" >"$BUILD/pocl-used"
    fi
    [ "$preset $*" = "release all" ] || what="Building $* ($preset)"
    step "$what" ninja -C "$BUILD" -j "$JOBS" "$@"
}

# runtime_build: packages, pocl and the build tree
runtime_build() {
    "$TOP/.ci/packages"
    tree_build release all
}

# programs_find ROOM [TEST...]: the test programs of a room, as find's TESTs have it
programs_find() {
    find "$BUILD/tests/$1" -maxdepth 1 -type f -perm -u+x "${@:2}" | LC_ALL=C sort
}

# direct_tests OPTION...: all OpenCL programs, in direct mode; OPTIONs of run-tests
direct_tests() {
    local programs
    # Those named cl_* and the conformance tests are OpenCL programs, which any mode must run.
    mapfile -t programs < <(programs_find device -name 'cl_*' && programs_find conformance)
    "$BUILD/bin/hmmsvm" run -e "BUILD=$BUILD" -e "TOP=$TOP" -- \
        "$TOP/tests/device/run-tests" --mode direct "$@" --list "$TOP/tests/device/opencl.list" \
        "${programs[@]}"
}

# guest_build VERSION VARIANT: the kernel and its module
guest_build() {
    local kernel
    kernel=$("$TOP/tests/guest/build-kernel" "$1" "$2")
    step "Building the module for Linux $1 $2" module_build "$kernel" "$1-$2"
}

module_build() {
    "$TOP/kmod/build-module" "$1" "$BUILD/kmod-$2" W=1
    mkdir -p "$BUILD/lib/hmmsvm/$2"
    cp "$BUILD/kmod-$2/hmmsvm.ko" "$BUILD/lib/hmmsvm/$2/hmmsvm.ko.new"
    mv "$BUILD/lib/hmmsvm/$2/hmmsvm.ko.new" "$BUILD/lib/hmmsvm/$2/hmmsvm.ko"
}
