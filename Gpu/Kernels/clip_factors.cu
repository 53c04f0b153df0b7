// clip_factors: the weight of each sample from a bound v on its squared norm: min(1, C / sqrt v), or C / (sqrt v + stability) (AUTO-S).
// A bound that is NaN or infinite gives 0 and sets the sample's flag. C already covers the rounding of root and quotient.
//
// bounds, factors (B) f32; flags (B) bytes. Launch: any grid, 128 threads.
extern "C" __global__ void __launch_bounds__(128) clip_factors(
    const float* __restrict__ bounds, float* __restrict__ factors, unsigned char* __restrict__ flags, int samples, float threshold, float stability, int automatic) {
    int b = blockIdx.x * 128 + threadIdx.x;
    if (b >= samples) return;
    float v = bounds[b];
    if (!(v <= 3.402823466e38f)) {
        flags[b] = 1;
        factors[b] = 0;
    } else {
        factors[b] = automatic ? threshold / (sqrtf(v) + stability) : fminf(threshold / sqrtf(v), 1.0f);
    }
}
