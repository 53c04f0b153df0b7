#!/usr/bin/env bash
# Data-parallel training on however many GPUs this machine has, over NCCL, in one process: checks (the sums of n ranks are one rank's, noise once in total),
# then private beside non-private steps of Llama-7B and 13B layers on 1, 2 and all GPUs, the cost of NCCL with one rank, and DPO of a 1B shape.
# Usage: Benchmarks/multi-gpu.sh PUBLISHED_BENCHMARKS_FOLDER [OPTIONS OF "Chorus.Benchmarks data-parallel"]      about 4 minutes on 2 GPUs
#   e.g. Benchmarks/multi-gpu.sh /tmp/bench --parts steps --shape llama-13b --layers 6
# The folder: Benchmarks/gpu-publish.sh ARCHIVE, unpacked; or dotnet publish Benchmarks -c Release -r linux-x64 --self-contained -p:TorchBackend=none -o FOLDER, without the run on the last GPU
# The GPU libtorch: CHORUS_LIBTORCH, or that of python3's torch; the last line says whether all checks passed, and so does the exit code.
set -u
program="$1/Chorus.Benchmarks" chorus="$1/chorus"; shift
[ -x "$program" ] || { echo "multi-gpu: $program is not there: give the folder of the published benchmarks" >&2; exit 2; }
if [ -z "${CHORUS_LIBTORCH:-}" ]; then
    CHORUS_LIBTORCH="$(python3 -c 'import os, torch; print(os.path.join(os.path.dirname(torch.__file__), "lib"))')" || { echo "multi-gpu: set CHORUS_LIBTORCH to the folder of libtorch_cuda.so" >&2; exit 2; }
    export CHORUS_LIBTORCH
fi
# NVRTC and NCCL lie beside the torch of a Python environment, each in a folder of its own.
for folder in "$CHORUS_LIBTORCH" "$CHORUS_LIBTORCH"/../../nvidia/*/lib; do
    [ -d "$folder" ] && LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folder"
done
export LD_LIBRARY_PATH
# Multicast of NVLink needs rights that a container may not have, and then hangs at the first sum.
export NCCL_NVLS_ENABLE="${NCCL_NVLS_ENABLE:-0}"
# The check of sums has torch repeat itself, which asks for this; it is torch's own choice on Hopper.
export CUBLAS_WORKSPACE_CONFIG="${CUBLAS_WORKSPACE_CONFIG:-:4096:8}"
nvidia-smi --query-gpu=index,name --format=csv,noheader
nvidia-smi topo -m 2>/dev/null | sed -n '1,10p'
# A process that uses the last GPU alone, where libtorch has no context on the first: a whole small run, writing and all.
last=$(($(nvidia-smi --list-gpus | wc -l) - 1)) alone=0
if [ -x "$chorus" ] && [ "$last" -gt 0 ]; then
    folder="$(mktemp -d)"
    CHORUS_CACHE="$folder/cache" timeout 120 "$chorus" simulate --device "cuda:$last" --out "$folder/run" --set method=untuned --set data.synthesize.clients=50 --set policy.pretraining.steps=20 \
        --set synthetic.texts=40 --set evaluation.downstream=off --set evaluation.text-measures=off > "$folder/log" 2>&1
    alone=$?
    echo "a run on cuda:$last alone: $([ $alone = 0 ] && echo passed || { echo failed; tail -3 "$folder/log"; })"
    rm -rf "$folder"
fi
timeout 560 "$program" data-parallel --device cuda --dtype bfloat16 "$@"
code=$?
[ "$alone" = 0 ] || code=1
exit "$code"
