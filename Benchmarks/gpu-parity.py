"""Compares Chorus' models on a GPU with reference outputs, and its bf16 error with that of transformers on the same weights.
Usage: python3 Benchmarks/gpu-parity.py CHORUS_BINARY FOLDER_OF_REFERENCE_CHECKPOINTS"""
import json
import os
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file, save_file

chorus, reference = sys.argv[1], sys.argv[2]
work = tempfile.mkdtemp()


def run(*arguments):
    done = subprocess.run([chorus, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        print(done.stdout[-2000:], done.stderr[-2000:])
        raise SystemExit(f"chorus {' '.join(arguments)} failed with {done.returncode}")


def logits(checkpoint, ids, *more):
    save_file({"input_ids": ids}, f"{work}/in.safetensors")
    run("model", "logits", "--checkpoint", checkpoint, "--input", f"{work}/in.safetensors", "--output", f"{work}/out.safetensors", "--device", "cuda", *more)
    return load_file(f"{work}/out.safetensors")["logits"]


for name in ["llama", "llama-bf16", "gpt2"]:
    folder = f"{reference}/{name}"
    expected = load_file(f"{folder}/expected.safetensors")
    ids, wanted = expected["input_ids"], expected["logits"]
    single = logits(folder, ids)
    half = logits(folder, ids, "--dtype", "bfloat16")
    from transformers import AutoModelForCausalLM
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).cuda().eval()
    with torch.no_grad():
        theirs = model(ids.cuda()).logits.float().cpu()
    error = lambda t: (t - wanted).abs().max().item()
    rms = lambda t: (t - wanted).square().mean().sqrt().item()
    print(f"{name}: float32 on the GPU {error(single):.2e} (to reach 2e-4); bf16 max {error(half):.3e}, rms {rms(half):.3e}; transformers' bf16 max {error(theirs):.3e}, rms {rms(theirs):.3e}; "
          f"ratio max {error(half) / error(theirs):.2f}, rms {rms(half) / rms(theirs):.2f} (at most 2)")

folder = f"{reference}/llama"
expected = load_file(f"{folder}/lora/expected.safetensors")
ids = expected.get("input_ids", load_file(f"{folder}/expected.safetensors")["input_ids"])
print(f"lora: float32 on the GPU {(logits(folder, ids, '--adapter', f'{folder}/lora') - expected['logits']).abs().max().item():.2e} (to reach 2e-4)")

folder = f"{reference}/minilm-st"
texts = json.load(open(f"{folder}/expected.json"))["texts"]
json.dump(texts, open(f"{work}/texts.json", "w"))
run("model", "embed", "--checkpoint", folder, "--text-file", f"{work}/texts.json", "--output", f"{work}/e.safetensors", "--device", "cuda")
got = load_file(f"{work}/e.safetensors")["embeddings"]
wanted = load_file(f"{folder}/expected.safetensors")["embeddings"]
print(f"minilm-st: float32 on the GPU {(got - wanted).abs().max().item():.2e} (to reach 1e-5)")
