// Numbers of three types in memory, float32 in registers: what the kernels of Gpu/Kernels that work element by element share.
// A type code: 0 f32, 1 bf16, 2 f16. Vectors are eight numbers; `wide` says that addresses and lengths allow them.

#define F32 0
#define BF16 1
#define F16 2

typedef unsigned short Half;

template <int type> constexpr int size_of = type == F32 ? 4 : 2;

template <int type> __device__ __forceinline__ float widen(const void* p, long long i) {
    if (type == F32) return ((const float*)p)[i];
    Half bits = ((const Half*)p)[i];
    if (type == BF16) return __uint_as_float((unsigned)bits << 16);
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
}

// To the nearest, ties to even.
template <int type> __device__ __forceinline__ void narrow(void* p, long long i, float value) {
    if (type == F32) { ((float*)p)[i] = value; return; }
    Half bits;
    if (type == BF16) {
#if __CUDA_ARCH__ >= 800
        asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
#else
        unsigned u = __float_as_uint(value);
        bits = (value != value) ? 0x7FC0 : (Half)((u + 0x7FFF + ((u >> 16) & 1)) >> 16);
#endif
    } else {
        asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    }
    ((Half*)p)[i] = bits;
}

template <int type> __device__ __forceinline__ float rounded(float value) {
    float result = value;
    if (type != F32) { Half h; narrow<type>(&h, 0, value); result = widen<type>(&h, 0); }
    return result;
}

// Two numbers in a word, the first in its lower half.
template <int type> __device__ __forceinline__ unsigned narrow2(float low, float high) {
#if __CUDA_ARCH__ >= 800
    if (type == BF16) {
        unsigned both;
        asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
        return both;
    }
#endif
    Half h[2];
    narrow<type>(h, 0, low);
    narrow<type>(h, 1, high);
    return h[0] | (unsigned)h[1] << 16;
}

// Elements i .. i + 7 of n.
template <int type> __device__ __forceinline__ void load(float (&v)[8], const void* p, long long i, long long n, bool wide) {
    if (wide) {
        if (type == F32) {
            float4 a = *(const float4*)((const float*)p + i), b = *(const float4*)((const float*)p + i + 4);
            v[0] = a.x; v[1] = a.y; v[2] = a.z; v[3] = a.w; v[4] = b.x; v[5] = b.y; v[6] = b.z; v[7] = b.w;
        } else {
            uint4 a = *(const uint4*)((const Half*)p + i);
            unsigned words[4] = { a.x, a.y, a.z, a.w };
            #pragma unroll
            for (int k = 0; k < 8; k++) { Half h = (Half)(words[k / 2] >> (16 * (k & 1))); v[k] = widen<type>(&h, 0); }
        }
        return;
    }
    #pragma unroll
    for (int k = 0; k < 8; k++) v[k] = i + k < n ? widen<type>(p, i + k) : 0.0f;
}

template <int type> __device__ __forceinline__ void store(void* p, long long i, const float (&v)[8], long long n, bool wide) {
    if (wide) {
        if (type == F32) {
            *(float4*)((float*)p + i) = { v[0], v[1], v[2], v[3] };
            *(float4*)((float*)p + i + 4) = { v[4], v[5], v[6], v[7] };
        } else {
            *(uint4*)((Half*)p + i) = { narrow2<type>(v[0], v[1]), narrow2<type>(v[2], v[3]), narrow2<type>(v[4], v[5]), narrow2<type>(v[6], v[7]) };
        }
        return;
    }
    #pragma unroll
    for (int k = 0; k < 8; k++) if (i + k < n) narrow<type>(p, i + k, v[k]);
}

// The sums of N numbers over the block, at every thread; `shared` has room for N a warp.
template <int N> __device__ __forceinline__ void add_over_block(float (&sums)[N], float* shared) {
    int warps = blockDim.x >> 5, warp = threadIdx.x >> 5;
    #pragma unroll
    for (int k = 0; k < N; k++) {
        #pragma unroll
        for (int o = 16; o > 0; o >>= 1) sums[k] += __shfl_xor_sync(0xFFFFFFFFu, sums[k], o);
    }
    __syncthreads();   // what was there has been read
    if ((threadIdx.x & 31) == 0) {
        #pragma unroll
        for (int k = 0; k < N; k++) shared[warp * N + k] = sums[k];
    }
    __syncthreads();
    #pragma unroll
    for (int k = 0; k < N; k++) {
        float total = 0;
        for (int w = 0; w < warps; w++) total += shared[w * N + k];
        sums[k] = total;
    }
}
