#!/usr/bin/env bash
# Publishes chorus, the benchmarks and the GPU tests for a GPU machine that has PyTorch but no .NET: self-contained, without libtorch, one archive.
# Usage: Benchmarks/gpu-publish.sh ARCHIVE.tar.xz
# There: tar -xJf ARCHIVE.tar.xz, then run chorus/chorus, chorus/Chorus.Benchmarks and chorus/Chorus.Gpu.Runner with CHORUS_LIBTORCH and LD_LIBRARY_PATH set (Benchmarks/gpu-env.sh).
set -euo pipefail
archive="$(realpath -m "$1")"
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
for project in Benchmarks Cli tests/Gpu.Runner; do
    dotnet publish "$project" -c Release -r linux-x64 --self-contained -p:TorchBackend=none -p:InvariantGlobalization=true -p:PublishReadyToRun=false -o "$folder/chorus" --nologo -v quiet
done
tar -C "$folder" -cf - chorus | xz -T0 -6 > "$archive"
ls -l "$archive" | awk '{ print $5 / 1048576 " MiB" }'
