// norm_layer: RMSNorm (arXiv:1910.07467) forwards, and RMSNorm and LayerNorm (arXiv:1607.06450, with CENTRED) backwards.
//   forward:  y = w round(x rstd), rstd = 1 / sqrt(mean x^2 + eps): rounded to the type before w, as the plain version does
//   backward: with n = (x - mean) rstd (no mean for RMSNorm) and h = g w: dx = rstd (h - mean(h)[CENTRED] - n mean(h n)),
//             dw_b = sum_t g n and db_b = sum_t g of each sample b, in `pieces` parts
//
// Shapes: R rows of C channels, B samples of T rows. x, g, y, dx (R, C) of TYPE, w (C) of WEIGHT; dw, db (B, pieces, C) f32, with WEIGHTS.
// C a multiple of 8 and at most 2048 VECTORS: a row lies in the block's registers, 8 VECTORS numbers a thread, and is read once.
// Memory-bound: forward 2 R C numbers, backward 3 R C. Launch: 256 threads; forward grid R, backward grid B * pieces.
#include "numbers.cuh"

extern "C" __global__ void __launch_bounds__(256) rms_norm_forward(const void* x, const void* weight, void* y, int channels, float epsilon) {
    __shared__ float shared[8];
    size_t row = (size_t)blockIdx.x * channels;
    float v[VECTORS][8], square[1] = { 0 };
    #pragma unroll
    for (int i = 0; i < VECTORS; i++) {
        int c = 8 * (i * 256 + threadIdx.x);
        if (c < channels) load<TYPE>(v[i], x, row + c, 0, true);
        #pragma unroll
        for (int k = 0; k < 8; k++) if (c < channels) square[0] += v[i][k] * v[i][k];
    }
    add_over_block(square, shared);
    float rstd = 1.0f / sqrtf(square[0] / channels + epsilon);
    #pragma unroll
    for (int i = 0; i < VECTORS; i++) {
        int c = 8 * (i * 256 + threadIdx.x);
        if (c >= channels) continue;
        float w[8];
        load<WEIGHT>(w, weight, c, 0, true);
        #pragma unroll
        for (int k = 0; k < 8; k++) v[i][k] = rounded<TYPE>(v[i][k] * rstd) * w[k];
        store<TYPE>(y, row + c, v[i], 0, true);
    }
}

extern "C" __global__ void __launch_bounds__(256) norm_backward(
    const void* x, const void* weight, const void* g, void* dx, float* dweight, float* dbias, int time, int channels, float epsilon, int pieces) {
    __shared__ float shared[8 * 4];
    int sample = blockIdx.x / pieces, piece = blockIdx.x % pieces;
    float dw[VECTORS][8], db[VECTORS][8], w[VECTORS][8];
    #pragma unroll
    for (int i = 0; i < VECTORS; i++) {
        int c = 8 * (i * 256 + threadIdx.x);
        #pragma unroll
        for (int k = 0; k < 8; k++) if (WEIGHTS) dw[i][k] = db[i][k] = 0;
        if (c < channels) load<WEIGHT>(w[i], weight, c, 0, true);
    }
    for (int t = piece; t < time; t += pieces) {
        size_t row = ((size_t)sample * time + t) * channels;
        float v[VECTORS][8], d[VECTORS][8], mean = 0;
        float sums[2] = { 0, 0 };   // of v and v^2, then of h and h n
        #pragma unroll
        for (int i = 0; i < VECTORS; i++) {
            int c = 8 * (i * 256 + threadIdx.x);
            if (c >= channels) continue;
            load<TYPE>(v[i], x, row + c, 0, true);
            load<TYPE>(d[i], g, row + c, 0, true);
            #pragma unroll
            for (int k = 0; k < 8; k++) { sums[0] += v[i][k]; sums[1] += v[i][k] * v[i][k]; }
        }
        add_over_block(sums, shared);
        float square = sums[1] / channels;
        if (CENTRED) {   // the variance about the mean, not a difference of large numbers
            mean = sums[0] / channels;
            float about[1] = { 0 };
            #pragma unroll
            for (int i = 0; i < VECTORS; i++)
                if (8 * (i * 256 + (int)threadIdx.x) < channels) {
                    #pragma unroll
                    for (int k = 0; k < 8; k++) about[0] += (v[i][k] - mean) * (v[i][k] - mean);
                }
            add_over_block(about, shared);
            square = about[0] / channels;
        }
        float rstd = 1.0f / sqrtf(square + epsilon);
        sums[0] = sums[1] = 0;
        #pragma unroll
        for (int i = 0; i < VECTORS; i++) {
            if (8 * (i * 256 + (int)threadIdx.x) >= channels) continue;
            #pragma unroll
            for (int k = 0; k < 8; k++) {
                float n = (v[i][k] - mean) * rstd, h = d[i][k] * w[i][k];
                if (WEIGHTS) {
                    dw[i][k] += d[i][k] * n;
                    if (CENTRED) db[i][k] += d[i][k];
                }
                v[i][k] = n;
                d[i][k] = h;
                sums[0] += h;
                sums[1] += h * n;
            }
        }
        add_over_block(sums, shared);
        float meanH = CENTRED ? sums[0] / channels : 0.0f, meanHn = sums[1] / channels;
        #pragma unroll
        for (int i = 0; i < VECTORS; i++) {
            int c = 8 * (i * 256 + threadIdx.x);
            if (c >= channels) continue;
            #pragma unroll
            for (int k = 0; k < 8; k++) d[i][k] = rstd * (d[i][k] - meanH - v[i][k] * meanHn);
            store<TYPE>(dx, row + c, d[i], 0, true);
        }
    }
    if (!WEIGHTS) return;
    #pragma unroll
    for (int i = 0; i < VECTORS; i++) {
        int c = 8 * (i * 256 + threadIdx.x);
        if (c >= channels) continue;
        store<F32>(dweight + (size_t)blockIdx.x * channels, c, dw[i], 0, true);
        if (CENTRED) store<F32>(dbias + (size_t)blockIdx.x * channels, c, db[i], 0, true);
    }
}
