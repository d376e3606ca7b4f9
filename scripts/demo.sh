#!/bin/bash
# SPDX-License-Identifier: MIT OR GPL-2.0-only
# The main job on real input: every recorded program replayed (*-touch*: with its bytes), one of them
# drawn; one that runs in the library's memory; and messages between processes.
set -eu
cd "$(dirname "$0")/.."
build=${1:-build}
mkdir -p demo-out
"$build/tools/vmarea" replay traces/*.vtrace*
picture=$(ls traces/*python* 2>/dev/null | head -n 1)
[ -n "$picture" ] || picture=$(ls traces/*.vtrace* | head -n 1)
"$build/tools/vmarea" draw "$picture" -o demo-out/map.svg
echo "the address space of $(basename "$picture") is drawn in demo-out/map.svg"
echo "a program that knows nothing of the library sorts 64 MiB in a window, forks, and runs into a guard page:"
"$build/examples/example_window" --size 64 "$build/examples/example_window_guest.so"
echo "four threads send to three processes, by Binder; a fourth process has twice the memory that there is:"
"$build/examples/example_binder" 5000
