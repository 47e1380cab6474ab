#!/bin/sh
# Rewrites the hash-locked requirements from pyproject.toml: control/relock.sh [--upgrade]. Needs uv. One version for all Pythons,
# and no address of a package index, since machines differ in that.
set -eu
cd "$(dirname "$0")/.."
lock() {
    output=$1
    shift
    uv pip compile pyproject.toml --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet --output-file "$output" "$@"
}
lock requirements.txt "$@"
lock requirements-test.txt --extra test --constraints requirements.txt "$@"
