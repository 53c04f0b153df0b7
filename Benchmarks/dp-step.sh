#!/usr/bin/env bash
# Training steps with DP-SGD beside steps without privacy, in turns in one process, on one GPU; then each alone for its memory; then PyTorch eager's step of the same layers.
# Usage: Benchmarks/dp-step.sh PUBLISHED_FOLDER [quick]     with Benchmarks/gpu-env.sh sourced; about 4 minutes, quick 1
set -u
program="$1/Chorus.Benchmarks" here="$(cd "$(dirname "$0")" && pwd)" quick="${2:-}"
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
step() { timeout 100 "$program" dp-step --dtype bfloat16 --rounds 3 "$@" 2>&1 | grep " of " | cut -c1-300; }
memory() { for method in none fused; do timeout 60 "$program" dp-step --dtype bfloat16 --rounds 1 --steps 3 --warm-up 0 --methods "$method" "$@" 2>&1 | grep " of " | cut -c1-300; done; }
step --shape llama-13b --layers 4 --seq 1024
step --shape gpt2 --seq 1024 --steps 20
[ "$quick" = quick ] && exit 0
step --shape llama-13b --layers 4 --seq 512 --steps 10
step --shape llama-13b --layers 4 --seq 2048 --batch 8 --steps 4
step --shape gpt2-medium --seq 1024 --steps 10
step --shape gpt2-large --seq 1024 --steps 6
step --shape llama-7b --layers 8 --seq 1024 --lora 16 --train none --steps 6
memory --shape llama-13b --layers 4 --seq 1024
memory --shape gpt2-large --seq 1024
memory --shape llama-7b --layers 8 --seq 1024 --lora 16 --train none
for shape in "llama-13b 4 8 1024" "gpt2 0 8 1024" "gpt2-medium 0 8 1024" "gpt2-large 0 8 1024"; do timeout 60 python3 "$here/torch-step.py" $shape 2>/dev/null; done
