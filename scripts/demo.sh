#!/bin/bash
# SPDX-License-Identifier: MIT OR GPL-2.0-only
# The main job on real input: every recorded program replayed (*-touch*: with its bytes), one drawn.
set -eu
cd "$(dirname "$0")/.."
build=${1:-build}
mkdir -p demo-out
"$build/tools/vmarea" replay traces/*.vtrace*
picture=$(ls traces/*python* 2>/dev/null | head -n 1)
[ -n "$picture" ] || picture=$(ls traces/*.vtrace* | head -n 1)
"$build/tools/vmarea" draw "$picture" -o demo-out/map.svg
echo "the address space of $(basename "$picture") is drawn in demo-out/map.svg"
