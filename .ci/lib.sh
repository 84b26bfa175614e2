# SPDX-License-Identifier: MIT
# lib.sh - for the scripts that set up, build and test (sourced; bash).
#
# What is shared between runs lies in the cache, outside the source tree, in folders named by a hash
# of what went in. A folder is finished when it holds a file `done`; until then it is where an
# interrupted run goes on. Whoever builds into one holds its lock (lock_take), so two runs at once
# share the work instead of spoiling it.

set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${HMMSVM_CACHE:-${XDG_CACHE_HOME:-${HOME:?set HOME or HMMSVM_CACHE}/.cache}/hmmsvm}
mkdir -p "$CACHE/log" "$CACHE/locks" ||
    { echo "error: cannot write to the cache $CACHE; set HMMSVM_CACHE to another folder" >&2; exit 1; }
CACHE=$(cd "$CACHE" && pwd)
JOBS=${HMMSVM_JOBS:-$(nproc)}

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# as_root COMMAND...: with sudo where we are not root
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this needs root and there is no sudo: $*"
    fi
}

# duration SECONDS: "7 s" or "3 min 07 s"
duration() {
    if [ "$1" -lt 60 ]; then
        printf '%d s' "$1"
    else
        printf '%d min %02d s' $(($1 / 60)) $(($1 % 60))
    fi
}

# hash_of PATH|=TEXT...: 16 hex digits over the contents of files, the files of folders, and texts
hash_of() {
    local item
    for item; do
        case $item in
        =*) printf '%s\n' "$item" ;;
        *)
            if [ -d "$item" ]; then
                (cd "$item" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum)
            elif [ -e "$item" ]; then
                sha256sum <"$item"
            else
                printf 'absent\n'
            fi
            ;;
        esac
    done | sha256sum | cut -c1-16
}

# lock_take NAME: holds the lock until this shell ends, once; says so when it has to wait
declare -A locks_held=()
lock_take() {
    local fd
    [ -z "${locks_held[$1]:-}" ] || return 0
    locks_held[$1]=1
    exec {fd}>"$CACHE/locks/$1"
    if ! flock -n "$fd"; then
        echo "  another run is at work on $1; waiting for it"
        flock "$fd"
    fi
}

# cache_expire NAME: removes what was built as NAME-HASH and not used for two weeks
cache_expire() {
    local old
    for old in "$CACHE/$1"-????????????????; do
        [ -f "$old/used" ] && [ -n "$(find "$old/used" -mtime +14)" ] || continue
        rm -rf "$old"
    done
}

# tool_wanted COMMAND PACKAGE: ends with a message if the command is missing
tool_wanted() {
    command -v "$1" >/dev/null || die "$1 is missing (Debian: apt install $2)"
}

STEP_CHILD=
trap '[ -z "$STEP_CHILD" ] || kill -- "-$STEP_CHILD" 2>/dev/null || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# step TITLE COMMAND...: runs it with its output in a log, shows title, progress and time.
# Progress is read from the log: "[n/m]" as ninja prints it, else lines beginning with two blanks
# and capitals, as the kernel's make prints them, of STEP_EXPECT if that is set.
step() {
    local title=$1 log start status=0 shown=0 now text count tty=
    shift
    log=$CACHE/log/$(printf '%s' "$title" | tr -c 'A-Za-z0-9.\n' '-' | tr -s '-' | sed 's/-$//').log
    start=$SECONDS
    [ -t 1 ] && tty=1
    printf '%s ...' "$title"
    [ -n "$tty" ] || printf '\n'

    set -m
    ("$@") >"$log" 2>&1 </dev/null &
    STEP_CHILD=$!
    set +m
    while kill -0 "$STEP_CHILD" 2>/dev/null; do
        sleep 0.2
        now=$((SECONDS - start))
        # Once a second on a terminal, every 20 seconds elsewhere.
        if [ -n "$tty" ]; then
            [ "$now" -gt "$shown" ] || continue
        else
            [ "$now" -ge $((shown + 20)) ] || continue
        fi
        shown=$now
        text=$(tail -c 4096 "$log" 2>/dev/null | tr '\r' '\n' | grep -aoE '^\[[0-9]+/[0-9]+\]' | tail -1 || true)
        if [ -z "$text" ] && [ -n "${STEP_EXPECT:-}" ]; then
            count=$(grep -acE '^  [A-Z]' "$log" || true)
            [ "$count" -lt "$STEP_EXPECT" ] || count=$((STEP_EXPECT - 1))
            text="about $((100 * count / STEP_EXPECT)) %"
        fi
        if [ -n "$tty" ]; then
            printf '\r%s ... %s %s\033[K' "$title" "$(duration "$now")" "$text"
        else
            printf '  %s %s\n' "$(duration "$now")" "$text"
        fi
    done
    wait "$STEP_CHILD" || status=$?
    STEP_CHILD=
    now=$((SECONDS - start))
    if [ "$status" = 0 ]; then
        if [ -n "$tty" ]; then printf '\r%s: %s\033[K\n' "$title" "$(duration "$now")"
        else printf '  done in %s\n' "$(duration "$now")"; fi
        return 0
    fi
    [ -z "$tty" ] || printf '\n'
    echo "error: \"$title\" failed after $(duration "$now"); the end of $log:" >&2
    tail -25 "$log" | sed 's/^/  | /' >&2
    return "$status"
}

# said TITLE: a step whose result was already there
said() {
    printf '%s: already there\n' "$1"
}
