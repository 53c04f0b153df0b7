// gated_silu: y = silu(gate) up (SwiGLU, arXiv:2002.05202), and backwards in place.
//   forward:  y = gate s up, s = 1 / (1 + exp(-gate))
//   backward: dgate = g up s (1 + gate (1 - s)) takes the place of gate, dup = g gate s that of up: no gradient needs memory of its own
//
// n numbers of TYPE each, n a multiple of 8. Memory-bound: forward 3 n, backward 5 n numbers. Launch: any grid, 256 threads.
#include "numbers.cuh"

__device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + __expf(-x)); }

extern "C" __global__ void __launch_bounds__(256) gated_silu_forward(const void* gate, const void* up, void* y, long long n) {
    for (long long i = 8 * ((long long)blockIdx.x * 256 + threadIdx.x); i < n; i += 8ll * gridDim.x * 256) {
        float a[8], b[8];
        load<TYPE>(a, gate, i, 0, true);
        load<TYPE>(b, up, i, 0, true);
        #pragma unroll
        for (int k = 0; k < 8; k++) a[k] *= sigmoid(a[k]) * b[k];
        store<TYPE>(y, i, a, 0, true);
    }
}

extern "C" __global__ void __launch_bounds__(256) gated_silu_backward(void* gate, void* up, const void* g, long long n) {
    for (long long i = 8 * ((long long)blockIdx.x * 256 + threadIdx.x); i < n; i += 8ll * gridDim.x * 256) {
        float a[8], b[8], d[8];
        load<TYPE>(a, gate, i, 0, true);
        load<TYPE>(b, up, i, 0, true);
        load<TYPE>(d, g, i, 0, true);
        #pragma unroll
        for (int k = 0; k < 8; k++) {
            float s = sigmoid(a[k]), x = a[k];
            a[k] = d[k] * b[k] * s * (1.0f + x * (1.0f - s));
            b[k] = d[k] * x * s;
        }
        store<TYPE>(gate, i, a, 0, true);
        store<TYPE>(up, i, b, 0, true);
    }
}
