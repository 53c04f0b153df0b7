#!/usr/bin/env bash
# Sampling of a 1B and an 8B Llama shape beside transformers' generate, on one GPU, in one call; then loading an 8B checkpoint.
# Usage: Benchmarks/gpu-generation.sh PUBLISHED_BENCHMARKS_FOLDER   (see docs of CHORUS_LIBTORCH for LD_LIBRARY_PATH)
set -u
program="$1/Chorus.Benchmarks"
here="$(cd "$(dirname "$0")" && pwd)"
nvidia-smi --query-gpu=name --format=csv,noheader
for shape in 1b 8b; do
    "$program" generation --shape "$shape" --device cuda --dtype bfloat16 --batch 256 --samples 10 --prompt 192 --new 64
    "$program" generation --shape "$shape" --device cuda --dtype bfloat16 --batch 256 --samples 10 --prompt 192 --new 64 --recorded off --repeats 1
    python3 "$here/transformers-generation.py" "$shape" 250 192 64 2>/dev/null
    "$program" generation --shape "$shape" --device cuda --dtype bfloat16 --batch 1000 --samples 10 --prompt 192 --new 64 --repeats 1
done
"$program" generation --shape 1b --device cuda --dtype bfloat16 --batch 256 --samples 10 --prompt 192 --new 64 --top-k 50 --top-p 0.95 --temperature 0.8
[ "${2:-}" = no-loading ] || "$program" loading --shape 8b --dtype bfloat16 --device cuda --folder "$(mktemp -u)"
