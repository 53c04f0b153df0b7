#!/usr/bin/env bash
# A round of the paper's size on one GPU: the biorxiv flavour with 72,000 clients, 1,800 prompts x 10 samples, and a policy of 112 million weights that is pretrained here from the public set.
# Prints the time of each round by phase, for popri and then popri-plus (same corpus, same policy), as a table. Under 10 minutes with 16 cores beside the GPU.
# Usage: Benchmarks/gpu-round.sh PUBLISHED_FOLDER [OUT_FOLDER] [OPTIONS OF "chorus simulate"]      PUBLISHED_FOLDER: what Benchmarks/gpu-publish.sh packs (chorus/)
#   e.g. Benchmarks/gpu-round.sh /tmp/chorus /tmp/round --set policy.pretraining.steps=300
# ROUNDS (2), METHODS ("popri popri-plus") and LIMIT (seconds in all, 570) may be set, and DEVICE=cpu for a rehearsal with smaller options. The GPU libtorch: CHORUS_LIBTORCH, or that of python3's torch.
set -u
program="$(realpath "$1")/chorus" out="${2:-$(mktemp -d)}" here="$(cd "$(dirname "$0")" && pwd)"
shift; [ $# -gt 0 ] && shift
[ -x "$program" ] || { echo "gpu-round: $program is not there: give the folder that Benchmarks/gpu-publish.sh packs" >&2; exit 2; }
[ "${DEVICE:-cuda}" = cpu ] || [ -n "${CHORUS_LIBTORCH:-}" ] || . "$here/gpu-env.sh" || { echo "gpu-round: set CHORUS_LIBTORCH to the folder of libtorch_cuda.so" >&2; exit 2; }
mkdir -p "$out"
export CHORUS_CACHE="${CHORUS_CACHE:-$out/cache}"
began=$SECONDS limit="${LIMIT:-570}"
[ "${DEVICE:-cuda}" = cpu ] || nvidia-smi --query-gpu=name,memory.total --format=csv,noheader
# 8,192 x 768 twice in the embeddings and 14 layers of 7.1 million weights: 112 million.
run() {
    timeout $((limit - (SECONDS - began))) "$program" simulate --run biorxiv-eps1 --device "${DEVICE:-cuda}" --rounds "${ROUNDS:-2}" --out "$out/$1" --set method="$1" \
        --set policy.model.vocabulary=8192 --set policy.model.hidden=768 --set policy.model.intermediate=2048 --set policy.model.layers=14 --set policy.model.heads=12 --set policy.model.key-value-heads=12 \
        --set policy.pretraining.steps=1000 --set policy.pretraining.warm-up-steps=100 \
        --set synthetic.texts=2000 --set evaluation.downstream=off --set evaluation.text-measures=off --set evaluation.topics=0 --set privacy.reproducible-noise=on "${@:2}" > "$out/$1.log" 2>&1
    local code=$?
    [ $code -eq 0 ] || { echo "gpu-round: $1 ended with $code after $((SECONDS - began)) s in all:" >&2; tail -5 "$out/$1.log" >&2; return $code; }
    python3 - "$out/$1/result.json" "$1" <<'PY'
import json, sys
run = json.load(open(sys.argv[1]))
print(f"{sys.argv[2]}: {run['clients']:,} clients, {run['rounds'][0]['candidates']:,} candidates, {run['cost']['bytes_to_client']:,} bytes to a client, {run['cost']['bytes_from_client']:,} back; noise multiplier {run['privacy']['noise_multiplier']:.3f}; {run['seconds']['total']:.0f} s in all")
print("| round | generate | feedback | learn | evaluate | together |\n| --- | --- | --- | --- | --- | --- |")
for r in run["rounds"]:
    s = r["seconds"]
    print(f"| {r['round']} | {s['generate']:.1f} s | {s['feedback']:.1f} s | {s['learn']:.1f} s | {s['evaluate']:.1f} s | {sum(s.values()):.1f} s |")
PY
}
failed=0
for method in ${METHODS:-popri popri-plus}; do run "$method" "$@" || failed=1; done
echo "$((SECONDS - began)) s"
exit $failed
