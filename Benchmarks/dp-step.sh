#!/usr/bin/env bash
# Full training steps with and without privacy, one after another on one GPU; the last line of each says tokens/s and peak memory.
# Usage: Benchmarks/dp-step.sh CHORUS_BINARY [STEPS]
set -u
chorus="$1" steps="${2:-30}"
nvidia-smi --query-gpu=name --format=csv,noheader
step() { # name, then options
    local name="$1" out; shift
    out="$(mktemp -d)"
    for dp in none fused none fused; do
        local noise=(--noise-multiplier 1)
        [ "$dp" = none ] && noise=()
        printf '%s %s: ' "$name" "$dp"
        "$chorus" train --dp "$dp" --synthetic --sampling fixed --device cuda --dtype bfloat16 --steps "$steps" --save-every 100000 --seed 1 "${noise[@]}" "$@" --out "$out/$dp$RANDOM" 2>&1 | grep -v '^$' | tail -1
        rm -rf "${out:?}"/*
    done
}
step "13B, 4 layers, T 1024, linear" --shape llama-13b --layers 4 --train linear --batch 8 --seq 1024
step "13B, 4 layers, T 512, linear" --shape llama-13b --layers 4 --train linear --batch 8 --seq 512
step "13B, 4 layers, T 2048, linear" --shape llama-13b --layers 4 --train linear --batch 8 --seq 2048
step "GPT-2 medium, T 1024, linear" --shape gpt2-medium --train linear --batch 8 --seq 1024
