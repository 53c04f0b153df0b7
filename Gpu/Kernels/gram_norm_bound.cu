// gram_norm_bound: from the partial sums of gram_norm_sm90.cu or norms_sm80.cu an upper bound of each sample's n_b^2 in exact arithmetic.
//
// partial (B, tiles, 5) f32: over tiles of token pairs the sums of A C, A A, C C and the traces of A and C. bound (B) f32.
// Launch: grid B, 128 threads.
//
// One block a sample: adds the partial sums in double. With relative errors of a Gram entry of at
// most gammaX |x_t| |x_t'| and gammaG |g_t| |g_t'|, Cauchy and Schwarz give (norms are Frobenius', from the sums themselves)
//   |sum A C - n^2| <= gammaX |X|^2 (|C| + gammaG |G|^2) + gammaG |G|^2 |A| + u |A| |C|,  |X|^2 = trace A (1 + ...), |G|^2 = trace C.
extern "C" __global__ void __launch_bounds__(128) gram_norm_bound(const float* __restrict__ partial, float* __restrict__ bound, int tiles, float gammaX, float gammaG) {
    __shared__ double all[128][5];
    double sum[5] = { 0, 0, 0, 0, 0 };
    const float* mine = partial + (size_t)blockIdx.x * tiles * 5;
    for (int i = threadIdx.x; i < tiles; i += 128)
        for (int k = 0; k < 5; k++) sum[k] += mine[(size_t)i * 5 + k];
    for (int k = 0; k < 5; k++) all[threadIdx.x][k] = sum[k];
    __syncthreads();
    for (int o = 64; o > 0; o >>= 1) {
        if (threadIdx.x < o)
            for (int k = 0; k < 5; k++) all[threadIdx.x][k] += all[threadIdx.x + o][k];
        __syncthreads();
    }
    if (threadIdx.x == 0) {
        const double u = 1.0 / (1 << 20);   // of the sums themselves: a tile's in float32, then double
        double n2 = all[0][0], a = sqrt(all[0][1]) * (1 + u), c = sqrt(all[0][2]) * (1 + u);
        double x2 = all[0][3] * (1 + 2 * gammaX), g2 = all[0][4] * (1 + 2 * gammaG);
        double error = gammaX * x2 * (c + gammaG * g2) + gammaG * g2 * a + u * a * c;
        double value = n2 + error;
        bound[blockIdx.x] = value != value ? (float)value : __double2float_ru(value > 0 ? value : 0);
    }
}
