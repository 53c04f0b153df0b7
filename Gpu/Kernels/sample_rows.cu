// sample_rows: per-sample gradients that are in memory as they are, one row of N numbers a sample.
//   square_rows:   out_b = |row_b|^2 for each sample, in two launches: sums over pieces of a row, then over pieces (add_pieces);
//   weigh_rows:    gradient = (accumulate ? gradient : 0) + sum_b c_b row_b, of samples with c_b = 0 exactly nothing;
//   weigh_samples: out_b = c_b x_b, and up to three others set to 0 where c_b = 0 (0 times NaN is NaN): what a product over samples and
//                  tokens is fed with. One pass over x; of the others only such samples are touched.
//
// Shapes: rows (B, N), x (B, n); B samples. ROW and GRADIENT: a type code each (0 f32, 1 bf16, 2 f16). Sums in f32, stores rounded to nearest.
// Vectors of eight elements where `wide` says that addresses and N allow it, else one by one. Memory-bound: square_rows reads B N,
// weigh_rows reads B N and writes N, weigh_samples reads and writes B n numbers.
// Launch: square_rows grid B * pieces, weigh_rows any grid, weigh_samples grid B * pieces; 256 threads each.

#include "numbers.cuh"

// out (B, stride): from `offset` on, one sum a piece.
extern "C" __global__ void __launch_bounds__(256) square_rows(const void* rows, float* __restrict__ out, long long n, int pieces, int stride, int offset, int wide) {
    int sample = blockIdx.x / pieces, piece = blockIdx.x % pieces;
    const char* row = (const char*)rows + (size_t)sample * n * size_of<ROW>;
    float sum = 0;
    for (long long i = 8 * ((long long)piece * 256 + threadIdx.x); i < n; i += 8ll * pieces * 256) {
        float v[8];
        load<ROW>(v, row, i, n, wide);
        #pragma unroll
        for (int k = 0; k < 8; k++) sum += v[k] * v[k];
    }
    __shared__ float shared[8];
    float total[1] = { sum };
    add_over_block(total, shared);
    if (threadIdx.x == 0) out[(size_t)sample * stride + offset + piece] = total[0];
}

// One warp a sample: the pieces in float64, times what covers the pieces' own roundings, rounded upwards.
extern "C" __global__ void __launch_bounds__(32) add_pieces(const float* __restrict__ pieces, float* __restrict__ out, int count, float cover) {
    double sum = 0;
    for (int i = threadIdx.x; i < count; i += 32) sum += pieces[(size_t)blockIdx.x * count + i];
    #pragma unroll
    for (int o = 16; o > 0; o >>= 1) sum += __shfl_xor_sync(0xFFFFFFFFu, sum, o);
    if (threadIdx.x == 0) out[blockIdx.x] = sum != sum ? (float)sum : __double2float_ru(sum * cover);
}

extern "C" __global__ void __launch_bounds__(256) weigh_rows(
    const void* rows, const float* __restrict__ factors, void* gradient, long long n, int samples, int accumulate, int wide) {
    for (long long i = 8 * ((long long)blockIdx.x * 256 + threadIdx.x); i < n; i += 8ll * gridDim.x * 256) {
        float sum[8] = { 0, 0, 0, 0, 0, 0, 0, 0 };
        if (accumulate) load<GRADIENT>(sum, gradient, i, n, wide);
        #pragma unroll 4
        for (int b = 0; b < samples; b++) {
            float f = factors[b];
            if (f == 0) continue;
            float v[8];
            load<ROW>(v, (const char*)rows + (size_t)b * n * size_of<ROW>, i, n, wide);
            #pragma unroll
            for (int k = 0; k < 8; k++) sum[k] += f * v[k];
        }
        store<GRADIENT>(gradient, i, sum, n, wide);
    }
}

struct Others { void* p[3]; long long n[3]; int count; };

extern "C" __global__ void __launch_bounds__(256) weigh_samples(
    const void* x, const float* __restrict__ factors, void* out, long long n, Others others, int pieces, int wide) {
    int sample = blockIdx.x / pieces, piece = blockIdx.x % pieces;
    float f = factors[sample];
    const int size = size_of<ROW>;
    long long first = 8 * ((long long)piece * 256 + threadIdx.x), stride = 8ll * pieces * 256;
    const char* from = (const char*)x + (size_t)sample * n * size;
    char* to = (char*)out + (size_t)sample * n * size;
    if (f == 0) {
        float zero[8] = { 0, 0, 0, 0, 0, 0, 0, 0 };
        for (long long i = first; i < n; i += stride) store<ROW>(to, i, zero, n, wide);
        for (int o = 0; o < others.count; o++)
            for (long long i = first; i < others.n[o]; i += stride) store<ROW>((char*)others.p[o] + (size_t)sample * others.n[o] * size, i, zero, others.n[o], wide);
        return;
    }
    for (long long i = first; i < n; i += stride) {
        float v[8];
        load<ROW>(v, from, i, n, wide);
        #pragma unroll
        for (int k = 0; k < 8; k++) v[k] *= f;
        store<ROW>(to, i, v, n, wide);
    }
}
