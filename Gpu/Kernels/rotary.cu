// rotary: rotary positions (arXiv:2104.09864, in the two halves of Llama) on queries and keys at once, forwards or backwards.
//   forward:  y1 = x1 cos1 - x2 sin1,  y2 = x2 cos2 + x1 sin2      (1: first half of a head, 2: second half)
//   backward: dx1 = g1 cos1 + g2 sin2, dx2 = g2 cos2 - g1 sin1
//
// Shapes: B samples, T tokens, H heads of HS, HS a multiple of 16. in0, out0 (B, T, H0, HS), in1, out1 (B, T, H1, HS), contiguous; cos,
// sin (T, HS), or (B, T, HS) where tableStride is T HS and not 0. All of TYPE; arithmetic in float32, one rounding.
// Memory-bound: reads and writes each tensor once. Launch: any grid, 256 threads; a thread takes eight pairs.
#include "numbers.cuh"

extern "C" __global__ void __launch_bounds__(256) rotary(
    const void* in0, void* out0, int heads0, const void* in1, void* out1, int heads1, const void* cosines, const void* sines, long long tableStride, int batch, int time, int headSize, int backward) {
    int eights = headSize / 16;
    long long per0 = (long long)heads0 * eights, per1 = (long long)heads1 * eights, all = (long long)batch * time * (per0 + per1);
    for (long long i = (long long)blockIdx.x * 256 + threadIdx.x; i < all; i += (long long)gridDim.x * 256) {
        long long token = i / (per0 + per1), k = i % (per0 + per1);
        bool first = k < per0;
        if (!first) k -= per0;
        const void* in = first ? in0 : in1;
        void* out = first ? out0 : out1;
        long long at = (token * (first ? heads0 : heads1) + k / eights) * headSize + 8 * (k % eights);
        long long table = token / time * tableStride + token % time * headSize + 8 * (k % eights);
        float a[8], b[8], cos1[8], cos2[8], sin1[8], sin2[8], u[8], v[8];
        load<TYPE>(a, in, at, 0, true);
        load<TYPE>(b, in, at + headSize / 2, 0, true);
        load<TYPE>(cos1, cosines, table, 0, true);
        load<TYPE>(cos2, cosines, table + headSize / 2, 0, true);
        load<TYPE>(sin1, sines, table, 0, true);
        load<TYPE>(sin2, sines, table + headSize / 2, 0, true);
        #pragma unroll
        for (int j = 0; j < 8; j++) {
            u[j] = backward ? a[j] * cos1[j] + b[j] * sin2[j] : a[j] * cos1[j] - b[j] * sin1[j];
            v[j] = backward ? b[j] * cos2[j] - a[j] * sin1[j] : b[j] * cos2[j] + a[j] * sin2[j];
        }
        store<TYPE>(out, at, u, 0, true);
        store<TYPE>(out, at + headSize / 2, v, 0, true);
    }
}
