// weigh_samples: out_b = c_b x_b for each sample b, and what goes with it, other_b = 0 where c_b = 0. One pass over the smaller of a product's
// two operands; of the other, which may hold NaN where c_b is 0 (0 times NaN is NaN), only such samples are touched.
//
// Shapes: x, out (B, n) and other (B, m) bf16, n and m multiples of 8, 16-byte aligned; factors (B) f32. Products are made in f32 and
// rounded to nearest. DRAM bytes: 4 B n. Launch: grid B * chunks, 256 threads; a block works on one sample.

__device__ __forceinline__ unsigned scaled(unsigned two, float f) {
    unsigned low = __float_as_uint(__uint_as_float(two << 16) * f), high = __float_as_uint(__uint_as_float(two & 0xFFFF0000u) * f);
    low = (low + 0x7FFF + ((low >> 16) & 1)) >> 16;
    high = (high + 0x7FFF + ((high >> 16) & 1)) & 0xFFFF0000u;
    return low | high;
}

extern "C" __global__ void __launch_bounds__(256) weigh_samples(
    const uint4* __restrict__ x, const float* __restrict__ factors, uint4* __restrict__ out, long long n8, uint4* __restrict__ other, long long m8, int chunks) {
    int sample = blockIdx.x / chunks, chunk = blockIdx.x % chunks;
    float f = factors[sample];
    long long first = (long long)chunk * blockDim.x + threadIdx.x, stride = (long long)chunks * blockDim.x;
    x += sample * n8; out += sample * n8; other += sample * m8;
    uint4 zero = { 0, 0, 0, 0 };
    if (f == 0) {
        for (long long i = first; i < n8; i += stride) out[i] = zero;
        for (long long i = first; i < m8; i += stride) other[i] = zero;
        return;
    }
    for (long long i = first; i < n8; i += stride) {
        uint4 v = x[i];
        out[i] = { scaled(v.x, f), scaled(v.y, f), scaled(v.z, f), scaled(v.w, f) };
    }
}
