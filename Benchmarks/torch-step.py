"""Training steps of PyTorch eager on the GPU (transformers' models, SDPA, bf16, SGD, linear layers trained): what Chorus' step without privacy is measured against.
Usage: python3 Benchmarks/torch-step.py SHAPE LAYERS B T [--profile]   SHAPE: llama-7b, llama-13b, gpt2, gpt2-medium, gpt2-large; LAYERS 0 for the shape's own"""
import sys
import time

import torch
import torch.nn.functional as F
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

shape, layers, batch, length = sys.argv[1], *(int(a) for a in sys.argv[2:5])
llama = {"llama-7b": (4096, 11008, 32, 32), "llama-13b": (5120, 13824, 40, 40)}
gpt2 = {"gpt2": (768, 12, 12), "gpt2-medium": (1024, 24, 16), "gpt2-large": (1280, 36, 20)}
torch.set_default_dtype(torch.bfloat16)
with torch.device("cuda"):
    if shape in llama:
        hidden, inner, depth, heads = llama[shape]
        model = LlamaForCausalLM(LlamaConfig(vocab_size=32000, hidden_size=hidden, intermediate_size=inner, num_hidden_layers=layers or depth,
                                             num_attention_heads=heads, num_key_value_heads=heads, max_position_embeddings=4096, attn_implementation="sdpa"))
        body, vocabulary = model.model, 32000
    else:
        hidden, depth, heads = gpt2[shape]
        model = GPT2LMHeadModel(GPT2Config(vocab_size=50257, n_embd=hidden, n_layer=layers or depth, n_head=heads, n_positions=max(1024, length),
                                           resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, attn_implementation="sdpa"))
        body, vocabulary = model.transformer, 50257
torch.set_default_dtype(torch.float32)
for name, parameter in model.named_parameters():
    parameter.requires_grad = ".layers." in name and "proj" in name or ".h." in name and ("attn.c" in name or "mlp.c" in name)
trained = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.SGD(trained, lr=1e-3)
ids = torch.randint(0, vocabulary, (batch, length + 1), device="cuda")


def step():
    logits = model(input_ids=ids[:, :-1], use_cache=False).logits
    loss = F.cross_entropy(logits.float().view(-1, vocabulary), ids[:, 1:].reshape(-1), reduction="none").view(batch, -1).mean(1).sum()
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


for _ in range(4):
    step()
torch.cuda.synchronize()
times = []
for _ in range(12):
    start = time.perf_counter()
    step()
    torch.cuda.synchronize()
    times.append(time.perf_counter() - start)
times.sort()
print(f"torch {shape} layers {layers} B {batch} T {length}: {1e3 * times[6]:.2f} ms, {batch * length / times[6]:,.0f} tokens/s, peak {torch.cuda.max_memory_allocated() / 2**20:,.0f} MiB", flush=True)
if "--profile" in sys.argv:
    from torch.profiler import ProfilerActivity, profile
    with profile(activities=[ProfilerActivity.CUDA]) as p:
        step()
        torch.cuda.synchronize()
    print(p.key_averages().table(sort_by="cuda_time_total", row_limit=22, max_name_column_width=90))
