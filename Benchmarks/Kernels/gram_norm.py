"""Times and checks Gpu/Kernels/gram_norm_sm90.cu on a Hopper GPU, beside torch's own product. Needs torch and cupy.
Usage: python3 Benchmarks/Kernels/gram_norm.py [SOURCE]"""
import ctypes
import subprocess
import sys
import tempfile

import cupy
import torch

SOURCE = sys.argv[1] if len(sys.argv) > 1 else "Gpu/Kernels/gram_norm_sm90.cu"
TILE, SLAB, STAGES = 128, 64, 7


def build(source):
    out = tempfile.mktemp(suffix=".cubin")
    log = subprocess.run(["nvcc", "-cubin", "-O3", "-std=c++17", "-gencode=arch=compute_90a,code=sm_90a", "-Xptxas", "-v", "-o", out, source],
                         capture_output=True, text=True)
    print((log.stdout + log.stderr)[-1500:])
    return cupy.RawModule(path=out)


cuda = ctypes.CDLL("libcuda.so.1")


class Map(ctypes.Structure):
    _fields_ = [("opaque", ctypes.c_uint64 * 16)]


def tensor_map(t, box_rows=TILE):
    """bf16 (B,T,K): boxes of 64 columns by 128 rows of one sample, 128-byte swizzle, zeros outside."""
    b, rows, k = t.shape
    buffer = (ctypes.c_uint64 * 32)()
    address = (ctypes.addressof(buffer) + 63) // 64 * 64
    dims = (ctypes.c_uint64 * 3)(k, rows, b)
    strides = (ctypes.c_uint64 * 2)(k * 2, rows * k * 2)
    box = (ctypes.c_uint32 * 3)(SLAB, box_rows, 1)
    ones = (ctypes.c_uint32 * 3)(1, 1, 1)
    status = cuda.cuTensorMapEncodeTiled(ctypes.c_void_p(address), 9, 3, ctypes.c_void_p(t.data_ptr()), dims, strides, box, ones, 0, 3, 2, 0)
    assert status == 0, status
    return ctypes.string_at(address, 128)


import numpy


class Gram:
    def __init__(self, module):
        self.kernel = module.get_function("gram_norm_sm90")
        self.shared = STAGES * 2 * TILE * SLAB * 2 + 1024
        self.kernel.max_dynamic_shared_size_bytes = self.shared
        self.sms = torch.cuda.get_device_properties(0).multi_processor_count

    def plan(self, x, g):
        b, t, p = x.shape
        n = (t + TILE - 1) // TILE
        tiles = n * (n + 1) // 2
        total = b * tiles
        left = total % self.sms
        whole = total - left if 2 * left <= self.sms else total
        jobs = whole + 2 * (total - whole)
        partial = torch.empty(b, tiles, 2, device="cuda")
        maps = [numpy.frombuffer(tensor_map(t, r), dtype=numpy.dtype("V128"))[0] for t, r in [(x, TILE), (g, TILE), (x, TILE // 2), (g, TILE // 2)]]
        args = (*maps, partial.data_ptr(), numpy.int32(tiles), numpy.int32(whole), numpy.int32(jobs),
                numpy.int32((p + SLAB - 1) // SLAB), numpy.int32((g.shape[2] + SLAB - 1) // SLAB))
        grid = min(self.sms, jobs)
        stream = cupy.cuda.ExternalStream(torch.cuda.current_stream().cuda_stream)
        keep = (x, g)

        def launch():
            with stream:
                self.kernel((grid,), (384,), args, shared_mem=self.shared)
            return partial

        launch.keep = keep
        return launch

    def __call__(self, x, g):
        return self.plan(x, g)().sum((1, 2))


def timed(f, repeats=30):
    for _ in range(5):
        f()
    torch.cuda.synchronize()
    times = []
    for _ in range(repeats):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        f()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end))
    return sorted(times)[repeats // 2]


def main():
    print(torch.cuda.get_device_name())
    gram = Gram(build(SOURCE))
    torch.manual_seed(0)
    for b, t, p, d in [(2, 128, 64, 64), (1, 256, 128, 64), (3, 200, 72, 136), (2, 1, 64, 64), (2, 130, 1000, 520), (8, 1024, 512, 768)]:
        x = torch.randn(b, t, p, device="cuda", dtype=torch.bfloat16)
        g = torch.randn(b, t, d, device="cuda", dtype=torch.bfloat16)
        expected = torch.stack([(g[i].double().T @ x[i].double()).square().sum() for i in range(b)])
        got = gram(x, g).double()
        print(f"check B={b} T={t} P={p} D={d}: relative error {((got - expected).abs() / expected).max().item():.2e}")
    a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    product = 2 * 8192 ** 3 / timed(lambda: a @ a) / 1e9
    print(f"torch 8192^3: {product:.0f} TFLOP/s")
    for b, t, p, d in [(8, 512, 4096, 4096), (8, 1024, 4096, 4096), (8, 1024, 5120, 5120), (8, 1024, 5120, 13824), (8, 1024, 5120, 15360), (8, 2048, 5120, 5120),
                       (8, 2048, 5120, 13824), (32, 128, 4096, 4096), (8, 1024, 768, 3072), (8, 1024, 1024, 1024)]:
        x = torch.randn(b, t, p, device="cuda", dtype=torch.bfloat16)
        g = torch.randn(b, t, d, device="cuda", dtype=torch.bfloat16)
        launch = gram.plan(x, g)
        ms = timed(launch)
        n = (t + 127) // 128
        flops = b * n * (n + 1) / 2 * 128 * 128 * 2 * (p + d)
        w = torch.randn(d, p, device="cuda", dtype=torch.bfloat16)
        one = timed(lambda: torch.matmul(g, w))
        print(f"B={b} T={t} P={p} D={d}: {ms:.3f} ms, {flops / ms / 1e9:.0f} TFLOP/s = {flops / ms / 1e9 / product:.2f} of torch's; a product takes {one:.3f} ms")


main()
