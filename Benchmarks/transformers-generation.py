"""New tokens a second of transformers' generate, random weights in bf16 on the GPU: the yardstick of `Benchmarks -- generation`.
Usage: python3 Benchmarks/transformers-generation.py 1b|8b [BATCH PROMPT NEW]"""
import sys
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM

shape = sys.argv[1]
batch, prompt, new = (int(a) for a in sys.argv[2:5]) if len(sys.argv) > 4 else (250, 192, 64)
sizes = {
    "1b": dict(hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, num_attention_heads=32, num_key_value_heads=8, head_dim=64, tie_word_embeddings=True),
    "8b": dict(hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=8, head_dim=128, tie_word_embeddings=False),
}[shape]
torch.set_default_dtype(torch.bfloat16)
with torch.device("cuda"):
    model = LlamaForCausalLM(LlamaConfig(vocab_size=128256, max_position_embeddings=8192, rope_theta=500000.0, **sizes)).eval()
torch.set_default_dtype(torch.float32)
ids = torch.randint(0, 128256, (batch // 10, prompt), device="cuda").repeat_interleave(10, 0)


def run(tokens):
    torch.cuda.synchronize()
    start = time.perf_counter()
    with torch.no_grad():
        model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=True, temperature=1.0, top_k=0, min_new_tokens=tokens, max_new_tokens=tokens, pad_token_id=0, eos_token_id=None)
    torch.cuda.synchronize()
    return time.perf_counter() - start


run(8)
times = sorted(run(new) for _ in range(3))
print(f"transformers {shape}: {ids.shape[0]} rows, prompt {prompt}, {new} new tokens: {ids.shape[0] * new / times[1]:,.0f} new tokens/s ({times[1]:.2f} s)")
