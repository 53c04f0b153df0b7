#!/usr/bin/env bash
# Every method of the paper side by side: the quickstart in both flavours, over seeds and budgets; and popri-plus at a fifth of popri's budget. What is done is not run again.
# Usage: Benchmarks/methods.sh CHORUS_BINARY OUT_FOLDER [SEEDS=3] [EPSILONS=1] [JOBS=1] [OPTIONS OF "chorus compare"]
#   e.g. Benchmarks/methods.sh Cli/bin/Release/net10.0/chorus runs/methods 3 1,7,inf 8
#   DATA="dir dir ..." compares on data folders in place of the two flavours; METHODS=a,b,c other methods; LESS=0.2 is popri-plus's smaller budget (empty: none).
# Pages: OUT_FOLDER/NAME/comparison.html and .csv; the last lines are the tables.
set -uo pipefail
chorus="$1" out="$2" seeds="${3:-3}" epsilons="${4:-1}" jobs="${5:-1}"
shift $(( $# < 5 ? $# : 5 ))
methods="${METHODS:-popri,popri-plus,pe,pe-sft,dp-fedavg,dp-ftrl,dp-sgd,untuned}" less="${LESS-0.2}" failed=0
compare() {
    local name="$1"; shift
    "$chorus" compare --methods "$methods" --epsilons "$epsilons" --seeds "$seeds" --jobs "$jobs" --out "$out/$name" "$@" || failed=1
    # The page shows what the last call names: so the smaller budget comes with all the others.
    [ -z "$less" ] || "$chorus" compare --methods "popri,popri-plus" --epsilons "$epsilons,$less" --seeds "$seeds" --jobs "$jobs" --out "$out/$name" "$@" || failed=1
    cp "$out/$name/comparison.html" "$out/$name/popri-plus.html" 2>/dev/null
    "$chorus" compare --methods "$methods" --epsilons "$epsilons" --seeds "$seeds" --jobs "$jobs" --out "$out/$name" "$@" > /dev/null || failed=1
}
if [ -n "${DATA:-}" ]; then
    for folder in $DATA; do compare "$(basename "$folder")" --data "$folder" "$@"; done
else
    compare biorxiv --set data.synthesize.flavour=biorxiv "$@"
    compare congress "$@"
fi
for table in "$out"/*/comparison.csv; do
    echo "$table"
    cut -d, -f1-8 "$table"
done
exit $failed
