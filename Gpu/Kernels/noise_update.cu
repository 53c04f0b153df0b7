// noise_update: one step of SGD or AdamW on one parameter, with counter-based Gaussian noise added to its gradient in registers.
// No noise is ever stored: z(e) depends on key, step, parameter and element alone, so any launch shape gives the same draws.
//
// Shapes: n elements, row-major. parameter, gradient, moments: float32, bfloat16 or float16 each, as the program is compiled
// (PARAMETER, GRADIENT, MOMENT, SECOND: a type code; ADAMW: 0 or 1); the gradient may be absent (zero), the moment too where SGD
// has none. Arithmetic is float32; stores round to nearest.
// Philox4x32-10 (Salmon et al. 2011) and Box-Muller, as CounterNoise.cs spells out; block m of four words makes elements
// 4m .. 4m + 3; u below 2^-16 is refined by a second block, so draws end at 9.5 and not at 6.8.
// DRAM bytes: parameter and moments read and written once, gradient read once; memory-bound: floor = bytes / bandwidth.
// Launch: any grid, 256 threads; each thread takes eight elements at a time in a grid-stride loop, with one access a tensor.

#include "numbers.cuh"

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

// All by the special function unit. Sine and cosine are off by 2^-20 at most on [-pi, pi], a millionth of a standard deviation; the logarithm by 2^-22 at most of the larger of itself
// and 1, so the square of the radius by 2^-21 of that: nothing but draws that are as good as zero move by more than a millionth.
__device__ __forceinline__ void pair(float u, unsigned a, float& first, float& second) {
    float radius, angle = (int)a * (3.14159265f / 2147483648.0f) + 3.14159265f / 4294967296.0f;   // v - 2 where v is above 1
    asm("lg2.approx.f32 %0, %1;" : "=f"(radius) : "f"(u));
    asm("sqrt.approx.f32 %0, %1;" : "=f"(radius) : "f"(fmaxf(radius * -1.38629436f, 0.0f)));   // -2 ln 2
    float sine, cosine;
    __sincosf(angle, &sine, &cosine);
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

// n elements, of which the first is element `first` of the parameter (a multiple of four): a slice of it draws what the whole would.
// Each thread has eight, two draws of four, at a time.
extern "C" __global__ void __launch_bounds__(256) noise_update(
    void* parameter, const void* gradient, void* moment, void* second, long long n, long long first, int wide, unsigned k0, unsigned k1, unsigned step, unsigned index, Step s) {
    for (long long i = 8 * ((long long)blockIdx.x * 256 + threadIdx.x); i < n; i += 8ll * gridDim.x * 256) {
        bool vectors = wide && n - i >= 8;
        float p[8], g[8] = { 0, 0, 0, 0, 0, 0, 0, 0 }, m[8], v[8];
        load<PARAMETER>(p, parameter, i, n, vectors);
        if (gradient) load<GRADIENT>(g, gradient, i, n, vectors);
        if (moment) load<MOMENT>(m, moment, i, n, vectors);
        if (ADAMW) load<SECOND>(v, second, i, n, vectors);
        if (s.stdDev > 0) {
            #pragma unroll
            for (int half = 0; half < 2; half++) {
                float z[4];
                draw(z, (unsigned long long)((i + first) / 4 + half), step, index, k0, k1);
                #pragma unroll
                for (int k = 0; k < 4; k++) g[4 * half + k] = __fadd_rn(g[4 * half + k], __fmul_rn(s.stdDev, z[k]));
            }
        }
        #pragma unroll
        for (int k = 0; k < 8; k++) {
            float d = __fmul_rn(g[k], s.scale);
            if (ADAMW) {
                p[k] = __fmul_rn(p[k], 1.0f - s.learningRate * s.decay);
                m[k] = __fadd_rn(__fmul_rn(s.beta1, m[k]), __fmul_rn(1.0f - s.beta1, d));
                v[k] = __fadd_rn(__fmul_rn(s.beta2, v[k]), __fmul_rn(1.0f - s.beta2, __fmul_rn(d, d)));
                p[k] -= s.learningRate * (m[k] / s.correction1) / (sqrtf(v[k] / s.correction2) + s.epsilon);
            } else {
                d += s.decay * p[k];
                if (moment) m[k] = d = __fadd_rn(__fmul_rn(s.momentum, m[k]), d);
                p[k] -= s.learningRate * d;
            }
        }
        if (moment) store<MOMENT>(moment, i, m, n, vectors);
        if (ADAMW) store<SECOND>(second, i, v, n, vectors);
        store<PARAMETER>(parameter, i, p, n, vectors);
    }
}
