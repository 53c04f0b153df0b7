// gram_norm_sm90: n_b^2 = sum_{t,t'} (x_t . x_t') (g_t . g_t') = |G_b^T X_b|_F^2, the squared norm of a linear layer's
// gradient for each sample, without that gradient and without a T x T matrix in memory (the ghost norm, arXiv:1510.01799).
//
// Shapes: B samples, T tokens, P inputs, D outputs. x (B,T,P), g (B,T,D) bf16, rows contiguous, P and D multiples of 8.
// partial (B, tiles, 2) f32: one sum for each tile of token pairs, two where the tile was halved; add them for n_b^2.
// Only tiles on and below the diagonal are computed; those below count twice. Sums in f32; fixed order, so fixed bits.
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
    const __grid_constant__ TensorMap xMap, const __grid_constant__ TensorMap gMap,             // boxes of 128 rows
    const __grid_constant__ TensorMap xHalfMap, const __grid_constant__ TensorMap gHalfMap,     // of 64
    float* __restrict__ partial,
    int tiles, int whole, int jobs, int xSlabs, int gSlabs) {
    extern __shared__ __align__(1024) unsigned char memory[];
    __shared__ __align__(8) unsigned long long bars[2 * STAGES];
    __shared__ float sums[8];
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
                    const TensorMap* map = s < xSlabs ? &xMap : &gMap;
                    bool halved = job.half >= 0 && !diagonal;   // its rows are 64; on the diagonal the columns are read for both
                    int column = (s < xSlabs ? s : s - xSlabs) * SLAB;
                    barrier_wait(ring.empty + 8 * ring.stage, ring.phase);
                    unsigned to = ring.slabs + ring.stage * STAGE_BYTES, bar = ring.filled();
                    barrier_expect(bar, diagonal ? SLAB_BYTES : halved ? SLAB_BYTES / 2 + SLAB_BYTES : STAGE_BYTES);
                    if (halved) copy_slab(to, s < xSlabs ? &xHalfMap : &gHalfMap, bar, column, job.row * TILE + job.half * 64, job.sample);
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
            float sum = 0;
            if (job.half < 0) {
                #pragma unroll
                for (int i = 0; i < 64; i++) sum += cx[i] * cg[i];
            } else {
                #pragma unroll
                for (int i = 0; i < 32; i++) sum += cx[i] * cg[i];
            }
            #pragma unroll
            for (int o = 16; o > 0; o >>= 1) sum += __shfl_xor_sync(0xFFFFFFFFu, sum, o);
            asm volatile("bar.sync 1, 256;" ::: "memory");   // the sums of the job before have been read
            if (lane == 0) sums[warp] = sum;
            asm volatile("bar.sync 2, 256;" ::: "memory");
            if (threadIdx.x == 128) {
                float total = 0;
                #pragma unroll
                for (int w = 0; w < 8; w++) total += sums[w];
                int tile = job.row * (job.row + 1) / 2 + job.column;
                partial[((size_t)job.sample * tiles + tile) * 2 + (job.half > 0 ? 1 : 0)] = job.row == job.column ? total : 2 * total;
                if (job.half < 0) partial[((size_t)job.sample * tiles + tile) * 2 + 1] = 0;
            }
        }
    }
}
