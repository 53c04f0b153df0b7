// sample_rows: per-sample gradients that are in memory as they are, one row of N numbers a sample.
//   square_rows:   out_b = |row_b|^2 for each sample, from above, over up to four matrices together;
//   weigh_rows:    for each of up to four matrices, gradient = (accumulate ? gradient : 0) + sum_b c_b row_b, of samples with c_b = 0 exactly nothing;
//   weigh_samples: out_b = c_b x_b, and up to three others set to 0 where c_b = 0 (0 times NaN is NaN): what a product over samples and
//                  tokens is fed with. One pass over x; of the others only such samples are touched.
//
// Shapes: rows (B, N), x (B, n); B samples. ROW and GRADIENT: a type code each (0 f32, 1 bf16, 2 f16). Sums in f32, stores rounded to nearest.
// Vectors of eight elements where `wide` says that addresses and N allow it, else one by one. Memory-bound: square_rows reads B N,
// weigh_rows reads B N and writes N, weigh_samples reads and writes B n numbers.
// Launch: square_rows grid B * parts, weigh_rows grid parts, weigh_samples grid B * pieces; 256 threads each.

#include "numbers.cuh"

// Up to four matrices of rows, (B, n[k]) each, with the parts of a launch that they get: first[k] is the first of matrix k's.
struct Rows { const void* p[4]; void* to[4]; long long n[4]; int first[5]; int accumulate[4]; int wide[4]; int count; };

__device__ __forceinline__ int matrix_of(const Rows& rows, int part) {
    int k = 0;
    while (part >= rows.first[k + 1]) k++;
    return k;
}

// Each block sums a piece of a sample's rows into pieces (B, parts); the sample's last block adds them, in float64 and always in the same order,
// times what covers the pieces' own roundings, rounded upwards, and sets its counter (B) back to 0.
extern "C" __global__ void __launch_bounds__(256) square_rows(const __grid_constant__ Rows rows, float* pieces, float* __restrict__ out, unsigned* counters, float cover) {
    int parts = rows.first[rows.count], sample = blockIdx.x / parts, part = blockIdx.x % parts, k = matrix_of(rows, part);
    long long n = rows.n[k];
    const char* row = (const char*)rows.p[k] + (size_t)sample * n * size_of<ROW>;
    float sum = 0;
    long long stride = 8ll * (rows.first[k + 1] - rows.first[k]) * 256;
    bool wide = rows.wide[k];
    for (long long i = 8 * ((long long)(part - rows.first[k]) * 256 + threadIdx.x); i < n; i += stride) {
        float v[8];
        load<ROW>(v, row, i, n, wide);
        #pragma unroll
        for (int e = 0; e < 8; e++) sum += v[e] * v[e];
    }
    __shared__ float shared[8];
    __shared__ bool last;
    float total[1] = { sum };
    add_over_block(total, shared);
    if (threadIdx.x == 0) {
        pieces[(size_t)sample * parts + part] = total[0];
        __threadfence();
        last = atomicAdd(counters + sample, 1u) == parts - 1;
    }
    __syncthreads();
    if (!last || threadIdx.x >= 32) return;
    __threadfence();
    double all = 0;
    for (int i = threadIdx.x; i < parts; i += 32) all += *(volatile float*)(pieces + (size_t)sample * parts + i);
    #pragma unroll
    for (int o = 16; o > 0; o >>= 1) all += __shfl_xor_sync(0xFFFFFFFFu, all, o);
    if (threadIdx.x == 0) {
        out[sample] = all != all ? (float)all : __double2float_ru(all * cover);
        counters[sample] = 0;
    }
}

extern "C" __global__ void __launch_bounds__(256) weigh_rows(const __grid_constant__ Rows rows, const float* __restrict__ factors, int samples) {
    int k = matrix_of(rows, blockIdx.x);
    long long n = rows.n[k], stride = 8ll * (rows.first[k + 1] - rows.first[k]) * 256;
    const char* from = (const char*)rows.p[k];
    void* to = rows.to[k];
    bool wide = rows.wide[k], accumulate = rows.accumulate[k];
    for (long long i = 8 * ((long long)(blockIdx.x - rows.first[k]) * 256 + threadIdx.x); i < n; i += stride) {
        float sum[8] = { 0, 0, 0, 0, 0, 0, 0, 0 };
        if (accumulate) load<GRADIENT>(sum, to, i, n, wide);
        #pragma unroll 4
        for (int b = 0; b < samples; b++) {
            float f = factors[b];
            if (f == 0) continue;
            float v[8];
            load<ROW>(v, from + (size_t)b * n * size_of<ROW>, i, n, wide);
            #pragma unroll
            for (int e = 0; e < 8; e++) sum[e] += f * v[e];
        }
        store<GRADIENT>(to, i, sum, n, wide);
    }
}

struct Others { void* p[3]; long long n[3]; int count; };

extern "C" __global__ void __launch_bounds__(256) weigh_samples(
    const void* x, const float* __restrict__ factors, void* out, long long n, const __grid_constant__ Others others, int pieces, int wide) {
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
