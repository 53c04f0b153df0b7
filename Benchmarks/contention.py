#!/usr/bin/env python3
"""What bytes that go between two GPUs cost the matrix products that hide them: summed by NCCL's blocks, or copied by the copy engines.

Usage: Benchmarks/contention.py [MEGABYTES=800]      (two GPUs, PyTorch; about 20 s)
Each line: how long the products take alone and beside the bytes, how long the bytes take alone, and the contention: time added to the products over the bytes' own.
"""
import sys
import torch

MEGABYTES = int(sys.argv[1]) if len(sys.argv) > 1 else 800
SHAPES = [(8192, 4096, 11008), (8192, 4096, 4096), (8192, 5120, 13824)]
N, ROUNDS = 2, 7


def made(priority):
    return [torch.cuda.Stream(d, priority=priority) for d in range(N)]


def products(count):
    for d in range(N):
        with torch.cuda.device(d):
            for _ in range(count):
                torch.mm(a[d], b[d], out=c[d])


def nccl(side):
    torch.cuda.nccl.all_reduce(values, outputs=values, streams=side)


# A copy runs on the source's current stream, and the destination's current stream waits for it: neither may be the products', nor the other copy's.
def engines(side):
    for d in range(N):
        with torch.cuda.stream(arriving[1 - d]), torch.cuda.stream(side[d]):
            other[1 - d].copy_(values[d], non_blocking=True)


def timed(*work):
    times = []
    for _ in range(ROUNDS):
        for d in range(N):
            torch.cuda.synchronize(d)
        begun, ended = [], []
        for d in range(N):
            begun.append(torch.cuda.Event(enable_timing=True)); begun[d].record(torch.cuda.current_stream(d))
        for do in work:
            do()
        for d in range(N):
            ended.append(torch.cuda.Event(enable_timing=True)); ended[d].record(torch.cuda.current_stream(d))
        for d in range(N):
            torch.cuda.synchronize(d)
        times.append(max(s.elapsed_time(e) for s, e in zip(begun, ended)))
    return sorted(times)[len(times) // 2]


def waited(side):
    for d in range(N):
        torch.cuda.current_stream(d).wait_stream(side[d])


values = [torch.ones(MEGABYTES * 500_000, dtype=torch.bfloat16, device=f"cuda:{d}") for d in range(N)]
other = [torch.empty_like(v) for v in values]
usual, first, arriving = made(0), made(-5), made(0)
for shape in SHAPES:
    rows, inner, outer = shape
    a = [torch.randn(rows, inner, dtype=torch.bfloat16, device=f"cuda:{d}") for d in range(N)]
    b = [torch.randn(inner, outer, dtype=torch.bfloat16, device=f"cuda:{d}") for d in range(N)]
    c = [torch.empty(rows, outer, dtype=torch.bfloat16, device=f"cuda:{d}") for d in range(N)]
    one = timed(lambda: products(10)) / 10
    count = max(4, int(12 / one))
    for name, send, side in [("NCCL", nccl, usual), ("NCCL, high priority", nccl, first), ("copy engines", engines, usual)]:
        send(side); alone = timed(lambda: send(side), lambda: waited(side))
        plain = timed(lambda: products(count))
        both = timed(lambda: send(side), lambda: products(count))
        print(f"{shape} {count} products {plain:.2f} ms, {name}: {MEGABYTES} MB alone {alone:.2f} ms, products beside it {both:.2f} ms, contention {(both - plain) / alone:.2f}", flush=True)
