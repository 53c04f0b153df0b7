// gram_norm_sm90: n_b^2 = sum_{t,t'} (x_t . x_t') (g_t . g_t') = |G_b^T X_b|_F^2, the squared norm of a linear layer's
// gradient for each sample, without that gradient and without a T x T matrix in memory (the ghost norm, arXiv:1510.01799).
//
// Shapes: B samples, T tokens, P inputs, D outputs. x (B,T,P), g (B,T,D) bf16, rows contiguous, P and D multiples of 8. Up to
// three g of layers that read one x: their Gram tiles add up in the registers, and x's are made once for all.
// With A = X X^T (+ 1 where there are biases) and C = sum of G G^T:
// partial (B, tiles, 2, 5) f32: sums of A C, A A, C C and the traces of A and C over each tile of token pairs, two sets where
// the tile was halved. gram_norm_bound adds them in a fixed order, and from them an upper bound of n_b^2 in exact arithmetic.
// Only tiles on and below the diagonal are computed; those below count twice.
// Rows past T and columns past P or D are read as zero by the copy engine.
//
// One block an SM, persistent. Warpgroup 0 feeds a ring of STAGES slabs of 64 columns by bulk tensor copies; warpgroups
// 1 and 2 multiply (wgmma, 64 rows each): first the Gram tile of x over P, kept in registers, then that of g over D,
// then the two are multiplied and summed. FLOPs: T^2 (P + D) B for the halves on and below the diagonal.
// The last tiles, too few for all SMs, are halved so that twice as many SMs share them.

// What a bulk copy knows of a tensor; filled by the driver (cuTensorMapEncodeTiled).
struct __align__(64) TensorMap { unsigned long long opaque[16]; };

#define TILE 128
#define SLAB 64
#define STAGES 7
#define SLAB_BYTES (TILE * SLAB * 2)
#define STAGE_BYTES (2 * SLAB_BYTES)

__device__ __forceinline__ unsigned smem_of(const void* p) { return (unsigned)__cvta_generic_to_shared(p); }

__device__ __forceinline__ void barrier_init(unsigned bar, unsigned count) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(bar), "r"(count) : "memory");
}
__device__ __forceinline__ void barrier_expect(unsigned bar, unsigned bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(bar), "r"(bytes) : "memory");
}
__device__ __forceinline__ void barrier_arrive(unsigned bar) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" :: "r"(bar) : "memory");
}
__device__ __forceinline__ void barrier_wait(unsigned bar, unsigned phase) {
    asm volatile(
        "{\n.reg .pred done;\nWAIT:\nmbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n@done bra READY;\nbra WAIT;\nREADY:\n}\n"
        :: "r"(bar), "r"(phase) : "memory");
}
__device__ __forceinline__ void copy_slab(unsigned to, const TensorMap* map, unsigned bar, int column, int row, int sample) {
    asm volatile(
        "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];"
        :: "r"(to), "l"(map), "r"(bar), "r"(column), "r"(row), "r"(sample) : "memory");
}

// K-major operand, 128-byte swizzle: 8 rows of 128 bytes make an atom of 1024.
__device__ __forceinline__ unsigned long long operand(unsigned address) {
    return (unsigned long long)((address & 0x3FFFF) >> 4) | (1ull << 16) | (64ull << 32) | (1ull << 62);
}

#define ACC8(c, i) "+f"(c[i]), "+f"(c[i + 1]), "+f"(c[i + 2]), "+f"(c[i + 3]), "+f"(c[i + 4]), "+f"(c[i + 5]), "+f"(c[i + 6]), "+f"(c[i + 7])
#define ACC32(c, i) ACC8(c, i), ACC8(c, i + 8), ACC8(c, i + 16), ACC8(c, i + 24)

__device__ __forceinline__ void multiply_128(float (&c)[64], unsigned long long a, unsigned long long b, int keep) {
    asm volatile(
        "{\n.reg .pred p;\nsetp.ne.b32 p, %66, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 "
        "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
        "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, "
        "%64, %65, p, 1, 1, 0, 0;\n}\n"
        : ACC32(c, 0), ACC32(c, 32) : "l"(a), "l"(b), "r"(keep));
}
__device__ __forceinline__ void multiply_64(float (&c)[64], unsigned long long a, unsigned long long b, int keep) {
    asm volatile(
        "{\n.reg .pred p;\nsetp.ne.b32 p, %34, 0;\n"
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 "
        "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
        "%32, %33, p, 1, 1, 0, 0;\n}\n"
        : ACC32(c, 0) : "l"(a), "l"(b), "r"(keep));
}
__device__ __forceinline__ void fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int N> __device__ __forceinline__ void wait_groups() { asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(N) : "memory"); }

// A job is a tile of token pairs of a sample, or a half of its rows.
struct Job { int sample, row, column, half; };   // half: -1 the whole tile, 0 or 1 its upper or lower 64 rows

__device__ __forceinline__ Job job_at(int index, int whole, int tiles) {
    int half = -1;
    if (index >= whole) { half = (index - whole) & 1; index = whole + ((index - whole) >> 1); }
    int sample = index / tiles, k = index % tiles;
    int row = (int)((sqrtf(8.0f * k + 1.0f) - 1.0f) * 0.5f);
    while ((row + 1) * (row + 2) / 2 <= k) row++;
    while (row * (row + 1) / 2 > k) row--;
    return { sample, row, k - row * (row + 1) / 2, half };
}

struct Ring {
    unsigned slabs, full, empty;
    int stage; unsigned phase;
    __device__ __forceinline__ void next() { if (++stage == STAGES) { stage = 0; phase ^= 1; } }
    __device__ __forceinline__ unsigned filled() const { return full + 8 * stage; }
    __device__ __forceinline__ unsigned freed(int s) const { return empty + 8 * s; }
};

// One Gram tile over all slabs of one operand, into c.
__device__ __forceinline__ void gram(float (&c)[64], Ring& ring, int slabs, const Job& job, int group, bool leader) {
    bool whole = job.half < 0, diagonal = job.row == job.column;
    unsigned rows = whole ? group * 64 * 128 : 0;                                  // this group's rows in the row slab
    unsigned columns = diagonal ? 0 : SLAB_BYTES;                                   // where the column slab is
    if (!whole) {
        rows = diagonal ? job.half * 64 * 128 : 0;
        columns += group * 64 * 128;
    }
    int previous = -1;
    for (int s = 0; s < slabs; s++) {
        barrier_wait(ring.filled(), ring.phase);
        unsigned base = ring.slabs + ring.stage * STAGE_BYTES;
        unsigned long long a = operand(base + rows), b = operand(base + columns);
        fence();
        if (whole) {
            #pragma unroll
            for (int k = 0; k < 4; k++) multiply_128(c, a + 2 * k, b + 2 * k, (s | k) != 0);
        } else {
            #pragma unroll
            for (int k = 0; k < 4; k++) multiply_64(c, a + 2 * k, b + 2 * k, (s | k) != 0);
        }
        commit();
        wait_groups<1>();
        if (previous >= 0 && leader) barrier_arrive(ring.freed(previous));
        previous = ring.stage;
        ring.next();
    }
    wait_groups<0>();
    if (leader) barrier_arrive(ring.freed(previous));
}

extern "C" __global__ void __launch_bounds__(384, 1) gram_norm_sm90(
    const __grid_constant__ TensorMap xMap, const __grid_constant__ TensorMap g0Map, const __grid_constant__ TensorMap g1Map,
    const __grid_constant__ TensorMap g2Map,                                                    // boxes of 128 rows
    const __grid_constant__ TensorMap xHalfMap, const __grid_constant__ TensorMap g0HalfMap, const __grid_constant__ TensorMap g1HalfMap,
    const __grid_constant__ TensorMap g2HalfMap,                                                // of 64
    float* __restrict__ partial,
    int tiles, int whole, int jobs, int xSlabs, int g0Slabs, int g1Slabs, int g2Slabs, float bias) {
    int gSlabs = g0Slabs + g1Slabs + g2Slabs;
    extern __shared__ __align__(1024) unsigned char memory[];
    __shared__ __align__(8) unsigned long long bars[2 * STAGES];
    __shared__ float sums[8][5];
    unsigned slabs = (smem_of(memory) + 1023) & ~1023u;
    Ring ring = { slabs, smem_of(bars), smem_of(bars + STAGES), 0, 0 };
    if (threadIdx.x == 0) {
        for (int s = 0; s < STAGES; s++) { barrier_init(ring.full + 8 * s, 1); barrier_init(ring.empty + 8 * s, 2); }
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    }
    __syncthreads();
    int warpgroup = threadIdx.x >> 7;
    if (warpgroup == 0) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
        if (threadIdx.x == 0) {
            ring.phase = 1;   // the ring starts empty
            for (int index = blockIdx.x; index < jobs; index += gridDim.x) {
                Job job = job_at(index, whole, tiles);
                bool diagonal = job.row == job.column;
                for (int s = 0; s < xSlabs + gSlabs; s++) {
                    // Addresses of parameters, so chosen one by one.
                    int at = s - xSlabs;
                    const TensorMap* map = at < 0 ? &xMap : at < g0Slabs ? &g0Map : at < g0Slabs + g1Slabs ? &g1Map : &g2Map;
                    const TensorMap* half = at < 0 ? &xHalfMap : at < g0Slabs ? &g0HalfMap : at < g0Slabs + g1Slabs ? &g1HalfMap : &g2HalfMap;
                    bool halved = job.half >= 0 && !diagonal;   // its rows are 64; on the diagonal the columns are read for both
                    int column = (at < 0 ? s : at < g0Slabs ? at : at < g0Slabs + g1Slabs ? at - g0Slabs : at - g0Slabs - g1Slabs) * SLAB;
                    barrier_wait(ring.empty + 8 * ring.stage, ring.phase);
                    unsigned to = ring.slabs + ring.stage * STAGE_BYTES, bar = ring.filled();
                    barrier_expect(bar, diagonal ? SLAB_BYTES : halved ? SLAB_BYTES / 2 + SLAB_BYTES : STAGE_BYTES);
                    if (halved) copy_slab(to, half, bar, column, job.row * TILE + job.half * 64, job.sample);
                    else copy_slab(to, map, bar, column, job.row * TILE, job.sample);
                    if (!diagonal) copy_slab(to + SLAB_BYTES, map, bar, column, job.column * TILE, job.sample);
                    ring.next();
                }
            }
        }
    } else {
        asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
        int group = warpgroup - 1, lane = threadIdx.x & 31, warp = (threadIdx.x - 128) >> 5;
        bool leader = (threadIdx.x & 127) == 0;
        float cx[64], cg[64];
        for (int index = blockIdx.x; index < jobs; index += gridDim.x) {
            Job job = job_at(index, whole, tiles);
            gram(cx, ring, xSlabs, job, group, leader);
            gram(cg, ring, gSlabs, job, group, leader);
            float sums5[5] = { 0, 0, 0, 0, 0 };
            // Element i of a thread: row and column in the part of the tile that its warpgroup multiplied.
            int firstRow = (warp & 3) * 16 + (lane >> 2), firstColumn = (lane & 3) * 2;
            bool diagonal = job.row == job.column;
            // Where this part lies beside the diagonal: its rows less its columns.
            int apart = job.half < 0 ? group * 64 : job.half * 64 - group * 64;
            int count = job.half < 0 ? 64 : 32;
            #pragma unroll
            for (int i = 0; i < 64; i++) {
                if (i < count) {
                    float a = cx[i] + bias, c = cg[i];
                    sums5[0] += a * c; sums5[1] += a * a; sums5[2] += c * c;
                    int row = firstRow + ((i >> 1) & 1) * 8, column = (i >> 2) * 8 + firstColumn + (i & 1);
                    if (diagonal && row + apart == column) { sums5[3] += a; sums5[4] += c; }
                }
            }
            #pragma unroll
            for (int k = 0; k < 5; k++) {
                #pragma unroll
                for (int o = 16; o > 0; o >>= 1) sums5[k] += __shfl_xor_sync(0xFFFFFFFFu, sums5[k], o);
            }
            asm volatile("bar.sync 1, 256;" ::: "memory");   // the sums of the job before have been read
            if (lane == 0) {
                #pragma unroll
                for (int k = 0; k < 5; k++) sums[warp][k] = sums5[k];
            }
            asm volatile("bar.sync 2, 256;" ::: "memory");
            if (threadIdx.x < 128 + 5) {
                int k = threadIdx.x - 128;
                float total = 0;
                #pragma unroll
                for (int w = 0; w < 8; w++) total += sums[w][k];
                int tile = job.row * (job.row + 1) / 2 + job.column;
                float* to = partial + (((size_t)job.sample * tiles + tile) * 2) * 5;
                to[(job.half > 0 ? 5 : 0) + k] = diagonal ? total : 2 * total;
                if (job.half < 0) to[5 + k] = 0;
            }
        }
    }
}

// One block a sample: adds the partial sums in double and bounds n_b^2 from above. With relative errors of a Gram entry of at
// most gammaX |x_t| |x_t'| and gammaG |g_t| |g_t'|, Cauchy and Schwarz give (norms are Frobenius', from the sums themselves)
//   |sum A C - n^2| <= gammaX |X|^2 (|C| + gammaG |G|^2) + gammaG |G|^2 |A| + u |A| |C|,  |X|^2 = trace A (1 + ...), |G|^2 = trace C.
extern "C" __global__ void __launch_bounds__(128) gram_norm_bound(const float* __restrict__ partial, float* __restrict__ bound, int tiles, float gammaX, float gammaG) {
    __shared__ double all[128][5];
    double sum[5] = { 0, 0, 0, 0, 0 };
    const float* mine = partial + (size_t)blockIdx.x * tiles * 10;
    for (int i = threadIdx.x; i < 2 * tiles; i += 128)
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
