// noise_update: one step of SGD or AdamW on one parameter, with counter-based Gaussian noise added to its gradient in registers.
// No noise is ever stored: z(e) depends on key, step, parameter and element alone, so any launch shape gives the same draws.
//
// Shapes: n elements, row-major. parameter, gradient, moments: float32, bfloat16 or float16 each, as the program is compiled
// (PARAMETER, GRADIENT, MOMENT, SECOND: a type code; ADAMW: 0 or 1); the gradient may be absent (zero), the moment too where SGD
// has none. Arithmetic is float32; stores round to nearest.
// Philox4x32-10 (Salmon et al. 2011) and Box-Muller, as CounterNoise.cs spells out; block m of four words makes elements
// 4m .. 4m + 3; where n elements are a part of a parameter, they begin with its block firstBlock. u below 2^-16 is refined by a second block, so draws end at 9.5 and not at 6.8.
// DRAM bytes: parameter and moments read and written once, gradient read once; memory-bound: floor = bytes / bandwidth.
// Launch: any grid, 256 threads; each thread takes blocks of four elements in a grid-stride loop.

#define F32 0
#define BF16 1
#define F16 2

template <int type> __device__ __forceinline__ float widen(const void* p, long long i) {
    if (type == F32) return ((const float*)p)[i];
    unsigned short bits = ((const unsigned short*)p)[i];
    if (type == BF16) return __uint_as_float((unsigned)bits << 16);
    float value;
    asm("{ .reg .b16 h; mov.b16 h, %1; cvt.f32.f16 %0, h; }" : "=f"(value) : "h"(bits));
    return value;
}

template <int type> __device__ __forceinline__ void narrow(void* p, long long i, float value) {
    if (type == F32) { ((float*)p)[i] = value; return; }
    unsigned short bits;
    if (type == BF16) {
        unsigned u = __float_as_uint(value);
        bits = (value != value) ? 0x7FC0 : (unsigned short)((u + 0x7FFF + ((u >> 16) & 1)) >> 16);
    } else {
        asm("{ .reg .b16 h; cvt.rn.f16.f32 h, %1; mov.b16 %0, h; }" : "=h"(bits) : "f"(value));
    }
    ((unsigned short*)p)[i] = bits;
}

struct Words { unsigned a, b, c, d; };

__device__ __forceinline__ Words philox(unsigned c0, unsigned c1, unsigned c2, unsigned c3, unsigned k0, unsigned k1) {
    #pragma unroll
    for (int round = 0; round < 10; round++) {
        unsigned h0 = __umulhi(0xD2511F53u, c0), l0 = 0xD2511F53u * c0, h1 = __umulhi(0xCD9E8D57u, c2), l1 = 0xCD9E8D57u * c2;
        c0 = h1 ^ c1 ^ k0; c1 = l1; c2 = h0 ^ c3 ^ k1; c3 = l0;
        k0 += 0x9E3779B9u; k1 += 0xBB67AE85u;
    }
    return { c0, c1, c2, c3 };
}

__device__ __forceinline__ void pair(float u, unsigned a, float& first, float& second) {
    float radius = sqrtf(-2.0f * logf(u)), sine, cosine;
    sincospif(((float)a + 0.5f) * (2.0f / 4294967296.0f), &sine, &cosine);
    first = radius * cosine;
    second = radius * sine;
}

__device__ __forceinline__ void draw(float (&z)[4], unsigned long long block, unsigned step, unsigned parameter, unsigned k0, unsigned k1) {
    const float word = 1.0f / 4294967296.0f;
    unsigned low = (unsigned)block, high = (unsigned)(block >> 32);
    Words r = philox(low, high, step, parameter, k0, k1);
    float u0 = ((float)r.a + 0.5f) * word, u1 = ((float)r.c + 0.5f) * word;
    if (r.a < 65536u || r.c < 65536u) {
        Words s = philox(low, high | 0x80000000u, step, parameter, k0, k1);
        if (r.a < 65536u) u0 = ((float)r.a + ((float)s.a + 0.5f) * word) * word;
        if (r.c < 65536u) u1 = ((float)r.c + ((float)s.c + 0.5f) * word) * word;
    }
    pair(u0, r.b, z[0], z[1]);
    pair(u1, r.d, z[2], z[3]);
}

struct Step { float learningRate, scale, decay, momentum, beta1, beta2, epsilon, correction1, correction2, stdDev; };

extern "C" __global__ void __launch_bounds__(256) noise_update(
    void* parameter, const void* gradient, void* moment, void* second, long long n, long long firstBlock, unsigned k0, unsigned k1, unsigned step, unsigned index, Step s) {
    long long stride = (long long)gridDim.x * blockDim.x, blocks = (n + 3) / 4;
    for (long long block = (long long)blockIdx.x * blockDim.x + threadIdx.x; block < blocks; block += stride) {
        float z[4] = { 0, 0, 0, 0 };
        if (s.stdDev > 0) draw(z, (unsigned long long)(firstBlock + block), step, index, k0, k1);
        #pragma unroll
        for (int k = 0; k < 4; k++) {
            long long i = 4 * block + k;
            if (i < n) {
                float g = gradient ? widen<GRADIENT>(gradient, i) : 0.0f;
                float d = __fmul_rn(__fadd_rn(g, __fmul_rn(s.stdDev, z[k])), s.scale);
                float p = widen<PARAMETER>(parameter, i);
                if (ADAMW) {
                    p = __fmul_rn(p, 1.0f - s.learningRate * s.decay);
                    float m = __fadd_rn(__fmul_rn(s.beta1, widen<MOMENT>(moment, i)), __fmul_rn(1.0f - s.beta1, d));
                    float v = __fadd_rn(__fmul_rn(s.beta2, widen<SECOND>(second, i)), __fmul_rn(1.0f - s.beta2, __fmul_rn(d, d)));
                    narrow<MOMENT>(moment, i, m);
                    narrow<SECOND>(second, i, v);
                    p -= s.learningRate * (m / s.correction1) / (sqrtf(v / s.correction2) + s.epsilon);
                } else {
                    d += s.decay * p;
                    if (moment) {
                        d = __fadd_rn(__fmul_rn(s.momentum, widen<MOMENT>(moment, i)), d);
                        narrow<MOMENT>(moment, i, d);
                    }
                    p -= s.learningRate * d;
                }
                narrow<PARAMETER>(parameter, i, p);
            }
        }
    }
}
