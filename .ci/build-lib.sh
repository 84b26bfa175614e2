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

# programs_module: what a kernel that checks itself is there to see, that is what is about the module; the rest
# of OpenCL never gets to it
programs_module() {
    programs_find device \( ! -name 'cl_*' -o -name 'cl_bad_*' -o -name 'cl_crash_*' -o -name 'cl_engine_*' -o \
        -name 'cl_fork*' -o -name 'cl_groups_*' -o -name 'cl_hang' -o -name 'cl_migrate' -o -name 'cl_svm*' -o \
        -name 'cl_threads' -o -name 'cl_usm' \)
    programs_find fuzz
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
    local more=()
    # The variant cover counts its lines; for all others this means nothing.
    [[ $2 != *-cover ]] || more=(GCOV_PROFILE=y)
    "$TOP/kmod/build-module" "$1" "$BUILD/kmod-$2" W=1 ${more[@]+"${more[@]}"}
    mkdir -p "$BUILD/lib/hmmsvm/$2"
    cp "$BUILD/kmod-$2/hmmsvm.ko" "$BUILD/lib/hmmsvm/$2/hmmsvm.ko.new"
    mv "$BUILD/lib/hmmsvm/$2/hmmsvm.ko.new" "$BUILD/lib/hmmsvm/$2/hmmsvm.ko"
}

# tests_run TITLE RESULTS COMMAND...: a suite whose output is shown as it comes
tests_run() {
    local title=$1 file=$2 status=0 start=$SECONDS
    shift 2
    echo "$title:"
    "$@" || status=$?
    # A guest that died, or whose kernel complained after the last test, is a failure of its own.
    if [ ! -s "$file" ]; then
        echo "0 1 0" >"$file"
    elif [ "$status" != 0 ] && [ "$(awk '{ n += $2 } END { print n + 0 }' "$file")" = 0 ]; then
        echo "0 1 0" >>"$file"
        echo "  (counted as one failure: status $status)"
    fi
    echo "  $title took $(duration $((SECONDS - start)))"
}

# guest_tests VERSION VARIANT SECONDS [OPTION-OF-RUN...] -- ARGUMENT-OF-run-tests...: in a guest, for so long
# at most; one of the variant cover looks for lost memory after that
guest_tests() {
    local kernel=$1 variant=$2 seconds=$3 options=() before=()
    shift 3
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    shift
    case $variant in
    debug) options+=(-e HMMSVM_TEST_SLOW=1) ;;
    cover)
        before=("$TOP/tests/guest/leaks" --control "$CACHE/kernel-$kernel-cover/samples/kmemleak/kmemleak-test.ko"
            --lines "$BUILD/kmod-$kernel-cover")
        ;;
    esac
    "$BUILD/bin/hmmsvm" run --guest --kernel "$kernel" --variant "$variant" --timeout "$seconds" \
        --devmem 16,16 --coherent 16 -e "BUILD=$BUILD" -e "TOP=$TOP" "${options[@]}" -- \
        "${before[@]}" "$TOP/tests/device/run-tests" --mode kernel "$@"
}
