# Sourced on a GPU machine with PyTorch for python3: Chorus then uses PyTorch's libtorch, NVRTC and NCCL.
_torch="$(python3 -c 'import torch; print(torch.__path__[0])')"
export CHORUS_LIBTORCH="$_torch/lib"
export LD_LIBRARY_PATH="$_torch/lib:$(find "$(dirname "$_torch")/nvidia" -maxdepth 2 -name lib -type d | tr '\n' ':')${LD_LIBRARY_PATH:-}"
export NCCL_NVLS_ENABLE=0 DOTNET_gcServer=0
