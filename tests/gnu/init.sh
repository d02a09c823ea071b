# What scripts of coreutils' tests expect to be there when they begin: words to fail with, comparisons, a folder of
# their own, and a clean end. scripts/gnu-tail-tests puts this file where they look for it.
#
# They source it from the stage, the folder that holds src/tail; checkout is the folder of coreutils.

me_=$(basename "$0" .sh)
stage_=$PWD
fail=0

# How a script ends: 0 it passed, 1 it failed, 77 it cannot run here, 99 what it needs could not be set up.
Exit() { exit "$1"; }
warn_() { printf '%s: %s\n' "$me_" "$*" >&"$stderr_fileno_"; }
fail_() { warn_ "failed: $*"; Exit 1; }
skip_() { warn_ "skipped: $*"; Exit 77; }
fatal_() { warn_ "broken: $*"; Exit 99; }
framework_failure_() { warn_ "not set up: $*"; Exit 99; }

# The first argument is what is expected.
compare() { diff -u "$1" "$2"; }

# returns_ CODE COMMAND…: whether the command exits with the code.
returns_() {
    local expected_=$1 code_=0
    shift
    "$@" || code_=$?
    [ "$code_" -eq "$expected_" ]
}

path_prepend_() {
    local folder_
    for folder_; do
        PATH=$(cd "$stage_/$folder_" && pwd):$PATH
    done
    export PATH
}

# Scripts that leave processes behind have one of their own.
cleanup_() { :; }

leave_() {
    local code_=$?
    trap - EXIT
    cleanup_
    cd "$stage_" || exit 99
    # A file that may only be appended to cannot be removed.
    chattr -R -a "$folder_of_its_own_" 2>/dev/null
    chmod -R u+rwx "$folder_of_its_own_"
    rm -rf "$folder_of_its_own_"
    exit "$code_"
}

. "$checkout/init.cfg"

folder_of_its_own_=$(mktemp -d "$stage_/$me_.XXXXXX") || exit 99
trap leave_ EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 141' PIPE
trap 'exit 143' TERM
cd "$folder_of_its_own_" || exit 99
