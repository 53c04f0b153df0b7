#!/usr/bin/env bash
# Full training steps with and without privacy, one after another on one GPU: the last line of each says tokens/s and peak memory.
# Usage: Benchmarks/dp-step.sh CHORUS_BINARY [STEPS]
set -u
chorus="$1" steps="${2:-20}"
nvidia-smi --query-gpu=name --format=csv,noheader
step() { # name, then options
    local name="$1" out dp; shift
    out="$(mktemp -d)"
    for dp in none fused none fused; do
        local noise=(--noise-multiplier 1)
        [ "$dp" = none ] && noise=()
        printf '%s, %s: ' "$name" "$dp"
        timeout 100 "$chorus" train --dp "$dp" --synthetic --examples 64 --sampling fixed --device cuda --dtype bfloat16 --steps "$steps" --save-every 1000000 --seed 1 "${noise[@]}" "$@" --out "$out/$dp-$RANDOM" 2>&1 | grep "^step" | tail -1
        rm -rf "${out:?}"/*
    done
}
step "Llama-13B, 2 layers, T 1024, linear" --shape llama-13b --layers 2 --train linear --batch 8 --seq 1024
step "GPT-2 medium, T 1024, linear" --shape gpt2-medium --train linear --batch 8 --seq 1023
