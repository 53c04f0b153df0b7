// token_loss: the cross-entropy of each token from logits in half precision, and its gradient in place of the logits: neither a float32
// copy of the logits nor a matrix of probabilities is made.
//   forward:  loss_r = lse_r - logit_r[target_r], lse_r = log sum_v exp(logit_r[v]); 0 where target_r is below 0
//   backward: logit_r[v] = g_r (exp(logit_r[v] - lse_r) - [v = target_r]); 0 where target_r is below 0, and from V on
//
// Shapes: R rows of `stride` numbers of TYPE, a multiple of 8, of which the first V are logits; target (R) int64; loss, lse, g (R) f32.
// Memory-bound: forward reads, backward reads and writes R V numbers. Launch: grid R, 256 threads.
#include "numbers.cuh"

extern "C" __global__ void __launch_bounds__(256) token_loss_forward(
    const void* logits, const long long* __restrict__ targets, float* __restrict__ loss, float* __restrict__ lse, int vocabulary, int stride) {
    __shared__ float shared[16];
    long long target = targets[blockIdx.x];
    const char* row = (const char*)logits + (size_t)blockIdx.x * stride * size_of<TYPE>;
    // The largest so far and the sum of exponentials below it; both are joined at the end.
    float most = __int_as_float(0xFF800000), sum = 0;
    for (int i = 8 * threadIdx.x; i < vocabulary; i += 8 * 256) {
        float v[8], top = most;
        load<TYPE>(v, row, i, 0, true);
        #pragma unroll
        for (int k = 0; k < 8; k++) if (i + k < vocabulary) top = fmaxf(top, v[k]);
        float here = 0;
        #pragma unroll
        for (int k = 0; k < 8; k++) if (i + k < vocabulary) here += __expf(v[k] - top);
        sum = (most > __int_as_float(0xFF800000) ? sum * __expf(most - top) : 0.0f) + here;
        most = top;
    }
    float all = most;
    #pragma unroll
    for (int o = 16; o > 0; o >>= 1) all = fmaxf(all, __shfl_xor_sync(0xFFFFFFFFu, all, o));
    if ((threadIdx.x & 31) == 0) shared[8 + (threadIdx.x >> 5)] = all;
    __syncthreads();
    all = shared[8];
    for (int w = 1; w < 8; w++) all = fmaxf(all, shared[8 + w]);
    float total[1] = { most > __int_as_float(0xFF800000) ? sum * __expf(most - all) : sum };   // of a thread that saw nothing 0
    add_over_block(total, shared);
    if (threadIdx.x == 0) {
        float l = all + logf(total[0]);
        lse[blockIdx.x] = l;
        loss[blockIdx.x] = target < 0 ? 0.0f : l - widen<TYPE>(row, target);
    }
}

extern "C" __global__ void __launch_bounds__(256) token_loss_backward(
    void* logits, const long long* __restrict__ targets, const float* __restrict__ g, const float* __restrict__ lse, int vocabulary, int stride) {
    long long target = targets[blockIdx.x];
    char* row = (char*)logits + (size_t)blockIdx.x * stride * size_of<TYPE>;
    float scale = target < 0 ? 0.0f : g[blockIdx.x], l = lse[blockIdx.x];
    for (int i = 8 * threadIdx.x; i < stride; i += 8 * 256) {
        float v[8];
        load<TYPE>(v, row, i, 0, true);
        #pragma unroll
        for (int k = 0; k < 8; k++) v[k] = scale == 0 || i + k >= vocabulary ? 0.0f : scale * (__expf(v[k] - l) - (i + k == target ? 1.0f : 0.0f));
        store<TYPE>(row, i, v, 0, true);
    }
}
