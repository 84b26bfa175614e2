# SPDX-License-Identifier: MIT
# build-lib.sh - what ./demo and ./test have in common (sourced after lib.sh; bash).

BUILD=$TOP/build/release

# runtime_build: packages, pocl and the build tree
runtime_build() {
    local pocl
    "$TOP/.ci/packages"
    pocl=$("$TOP/runtime/pocl/build-pocl")
    lock_take "tree-$(hash_of "=$BUILD")"
    if [ ! -f "$BUILD/build.ninja" ] || [ "$(cat "$BUILD/pocl-used" 2>/dev/null)" != "$pocl" ]; then
        step "Configuring" cmake -S "$TOP" --preset release "-DHMMSVM_POCL_DIR=$pocl"
        printf '%s\n' "$pocl" >"$BUILD/pocl-used"
    fi
    step "Building runtime, samples and tests" ninja -C "$BUILD" -j "$JOBS" all
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
