#!/usr/bin/env bash
# Runs a run file with several seeds (and, as a control, with a policy that does not learn), two threads each, all at
# once, and prints what each closed of the gap.   Usage: seeds.sh CHORUS_BINARY OUT_FOLDER [SETTING=VALUE ...]
set -euo pipefail
chorus="$1" out="$2"
shift 2
settings=()
for setting in "$@"; do settings+=(--set "$setting"); done
mkdir -p "$out"
for seed in 1 2 3; do
    "$chorus" simulate --seed "$seed" --out "$out/tuned-$seed" --set policy.threads=2 "${settings[@]}" > "$out/tuned-$seed.log" 2>&1 &
    "$chorus" simulate --seed "$seed" --out "$out/control-$seed" --set policy.threads=2 --set policy.dpo.learning-rate=1e-8 "${settings[@]}" \
        > "$out/control-$seed.log" 2>&1 &
done
wait
for run in "$out"/*/; do
    echo "$(basename "$run") $(grep -oE '"(gap_closed|floor|popri|ceiling)": [0-9.e-]+' "$run/result.json" | tr '\n' ' ')"
done
