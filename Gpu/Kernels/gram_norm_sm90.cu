// gram_norm_sm90: n_b^2 = sum_{t,t'} (x_t . x_t') (g_t . g_t') = |G_b^T X_b|_F^2, the squared norm of a linear layer's
// gradient for each sample, without that gradient and without a T x T matrix in memory (the ghost norm, arXiv:1510.01799).
//
// Shapes: B samples, T tokens, P inputs, D outputs. x (B,T,P), g (B,T,D) bf16 (f16 with HALF), rows contiguous, P and D multiples of
// 8. Up to three g of layers that read one x: their Gram tiles add up in the registers, and x's are made once for all.
// With A = X X^T (+ 1 where there are biases) and C = sum of G G^T:
// partial (B, tiles, 5) f32: sums of A C, A A, C C and the traces of A and C over each tile of 128 x 128 token pairs;
// gram_norm_bound.cu adds them in a fixed order, and from them an upper bound of n_b^2 in exact arithmetic.
// Only tiles on and below the diagonal are computed; those below count twice. Rows past T and columns past P or D are read as zero by the copy engine. Tiles past a sample's length are not computed.
//
// One block an SM. Warpgroup 0 feeds a ring of STAGES slabs of 64 columns by bulk tensor copies; warpgroups 1 and 2 multiply
// (wgmma, 64 rows each): first the Gram tile of x over P, kept in registers, then that of g over D, then the two are multiplied
// and summed. FLOPs: T^2 (P + D) B for the halves on and below the diagonal.
// Tiles that fill all SMs evenly are dealt whole, so that the blocks go through the same columns at the same time and find them in the
// cache. Those left over are cut into `parts` by columns ("split-K"), all first parts first: each part but the last leaves its sums in
// `rest`, and the block with the last adds them in order: the same bits every time. It waits for parts dealt before its own; all blocks are on the
// chip at once, one an SM, so these are done or being done.

// What a bulk copy knows of a tensor; filled by the driver (cuTensorMapEncodeTiled).
struct __align__(64) TensorMap { unsigned long long opaque[16]; };

#if HALF
#define TYPE "f16"
#else
#define TYPE "bf16"
#endif
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

__device__ __forceinline__ void multiply_128(float (&c)[64], unsigned long long a, unsigned long long b) {
    asm volatile(
        "wgmma.mma_async.sync.aligned.m64n128k16.f32." TYPE "." TYPE " "
        "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
        "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, "
        "%64, %65, 1, 1, 1, 0, 0;\n"
        : ACC32(c, 0), ACC32(c, 32) : "l"(a), "l"(b));
}
__device__ __forceinline__ void fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int N> __device__ __forceinline__ void wait_groups() { asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(N) : "memory"); }

// A job is a tile of a sample, or a part of its slabs.
struct Job { int sample, tile, row, column, first, last, part, left; };   // slabs from first to before last; the tile's place among those in parts

struct Work {
    int tiles, slabs, whole, left, parts;   // tiles of a sample, slabs of a tile, tiles dealt whole, tiles in parts, parts
    __device__ __forceinline__ int count() const { return whole + left * parts; }
    __device__ __forceinline__ Job at(int index) const {
        Job job = { 0, index, 0, 0, 0, slabs, parts - 1, 0 };
        if (index >= whole) {
            int r = index - whole;
            job.part = r / left;
            job.left = r - job.part * left;
            job.tile = whole + job.left;
            job.first = slabs * job.part / parts;
            job.last = slabs * (job.part + 1) / parts;
        }
        job.sample = job.tile / tiles;
        int k = job.tile - job.sample * tiles;
        int row = (int)((sqrtf(8.0f * k + 1.0f) - 1.0f) * 0.5f);
        while ((row + 1) * (row + 2) / 2 <= k) row++;
        while (row * (row + 1) / 2 > k) row--;
        job.row = row;
        job.column = k - row * (row + 1) / 2;
        return job;
    }
};

struct Ring {
    unsigned slabs, full, empty;
    int stage; unsigned phase;
    __device__ __forceinline__ void next() { if (++stage == STAGES) { stage = 0; phase ^= 1; } }
    __device__ __forceinline__ unsigned filled() const { return full + 8 * stage; }
    __device__ __forceinline__ unsigned freed(int s) const { return empty + 8 * s; }
};

// Part of one Gram tile over so many slabs of one operand: 64 rows of this group times 128 columns. Tiles on the diagonal take as long as
// others though half of them is not needed: blocks that stay in step find their slabs in the cache, which is worth more.
__device__ __forceinline__ void gram(float (&c)[64], Ring& ring, int slabs, bool diagonal, int group, bool leader) {
    #pragma unroll
    for (int i = 0; i < 64; i++) c[i] = 0;
    unsigned rows = group * 64 * 128, columns = diagonal ? 0 : SLAB_BYTES;   // where this group's rows and the columns are
    int previous = -1;
    for (int s = 0; s < slabs; s++) {
        barrier_wait(ring.filled(), ring.phase);
        unsigned base = ring.slabs + ring.stage * STAGE_BYTES;
        unsigned long long a = operand(base + rows), b = operand(base + columns);
        fence();
        #pragma unroll
        for (int k = 0; k < 4; k++) multiply_128(c, a + 2 * k, b + 2 * k);
        commit();
        wait_groups<1>();
        if (previous >= 0 && leader) barrier_arrive(ring.freed(previous));
        previous = ring.stage;
        ring.next();
    }
    wait_groups<0>();
    if (previous >= 0 && leader) barrier_arrive(ring.freed(previous));
}

// Sums of a tile that another block goes on with: 16 vectors of four for each of 256 threads and each of the two Gram tiles.
__device__ __forceinline__ void leave(float4* rest, const float (&c)[64], int thread) {
    #pragma unroll
    for (int i = 0; i < 16; i++) rest[i * 256 + thread] = { c[4 * i], c[4 * i + 1], c[4 * i + 2], c[4 * i + 3] };
}
__device__ __forceinline__ void take(const float4* rest, float (&c)[64], int thread) {
    #pragma unroll
    for (int i = 0; i < 16; i++) {
        float4 v;
        asm volatile("ld.global.cg.v4.f32 {%0, %1, %2, %3}, [%4];" : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w) : "l"(rest + i * 256 + thread) : "memory");
        c[4 * i] += v.x; c[4 * i + 1] += v.y; c[4 * i + 2] += v.z; c[4 * i + 3] += v.w;
    }
}
__device__ __forceinline__ void raise_flag(int* flag) { asm volatile("st.release.gpu.global.s32 [%0], 1;" :: "l"(flag) : "memory"); }
__device__ __forceinline__ void await_flag(int* flag) {
    int raised;
    do { asm volatile("ld.acquire.gpu.global.s32 %0, [%1];" : "=r"(raised) : "l"(flag) : "memory"); } while (!raised);
    asm volatile("st.relaxed.gpu.global.s32 [%0], 0;" :: "l"(flag) : "memory");   // for the next launch
}

extern "C" __global__ void __launch_bounds__(384, 1) gram_norm_sm90(
    const __grid_constant__ TensorMap xMap, const __grid_constant__ TensorMap g0Map, const __grid_constant__ TensorMap g1Map,
    const __grid_constant__ TensorMap g2Map,
    float* __restrict__ partial, float4* __restrict__ rest, int* __restrict__ flags,   // (left, parts - 1, 2, 16, 256) of four, and as many flags of 0
    const int* __restrict__ lengths,                                                    // (B), or null: all have T
    int samples, int rows, int parts, int whole, int xSlabs, int g0Slabs, int g1Slabs, int g2Slabs, float bias) {
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
    int tiles = rows * (rows + 1) / 2;
    Work work = { tiles, xSlabs + g0Slabs + g1Slabs + g2Slabs, whole, samples * tiles - whole, parts };
    int jobs = work.count(), warpgroup = threadIdx.x >> 7;
    if (warpgroup == 0) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
        if (threadIdx.x == 0) {
            ring.phase = 1;   // the ring starts empty
            for (int index = blockIdx.x; index < jobs; index += gridDim.x) {
                Job job = work.at(index);
                if (lengths && job.row * TILE >= lengths[job.sample]) continue;
                bool diagonal = job.row == job.column;
                for (int s = job.first; s < job.last; s++) {
                    // Addresses of parameters, so chosen one by one.
                    int at = s - xSlabs;
                    const TensorMap* map = at < 0 ? &xMap : at < g0Slabs ? &g0Map : at < g0Slabs + g1Slabs ? &g1Map : &g2Map;
                    int column = (at < 0 ? s : at < g0Slabs ? at : at < g0Slabs + g1Slabs ? at - g0Slabs : at - g0Slabs - g1Slabs) * SLAB;
                    barrier_wait(ring.empty + 8 * ring.stage, ring.phase);
                    unsigned to = ring.slabs + ring.stage * STAGE_BYTES, bar = ring.filled();
                    barrier_expect(bar, diagonal ? SLAB_BYTES : STAGE_BYTES);
                    copy_slab(to, map, bar, column, job.row * TILE, job.sample);
                    if (!diagonal) copy_slab(to + SLAB_BYTES, map, bar, column, job.column * TILE, job.sample);
                    ring.next();
                }
            }
        }
    } else {
        asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
        int group = warpgroup - 1, lane = threadIdx.x & 31, warp = (threadIdx.x - 128) >> 5, thread = threadIdx.x - 128;
        bool leader = (threadIdx.x & 127) == 0;
        float cx[64], cg[64];
        for (int index = blockIdx.x; index < jobs; index += gridDim.x) {
            Job job = work.at(index);
            float* to = partial + (size_t)job.tile * 5;
            bool lastPart = job.part == parts - 1;
            if (lengths && job.row * TILE >= lengths[job.sample]) {   // g has nothing but zeros there
                if (lastPart && thread < 5) to[thread] = 0;
                continue;
            }
            bool diagonal = job.row == job.column;
            gram(cx, ring, min(job.last, xSlabs) - job.first, diagonal, group, leader);
            gram(cg, ring, job.last - max(job.first, xSlabs), diagonal, group, leader);
            if (!lastPart) {
                int slot = job.left * (parts - 1) + job.part;
                float4* mine = rest + (size_t)slot * 2 * 16 * 256;
                if (job.first < xSlabs) leave(mine, cx, thread);
                if (job.last > xSlabs) leave(mine + 16 * 256, cg, thread);
                __threadfence();
                asm volatile("bar.sync 1, 256;" ::: "memory");
                if (thread == 0) raise_flag(flags + slot);
                continue;
            }
            if (job.first > 0) {
                for (int part = 0; part < parts - 1; part++) {
                    int slot = job.left * (parts - 1) + part;
                    if (thread == 0) await_flag(flags + slot);
                    asm volatile("bar.sync 1, 256;" ::: "memory");
                    const float4* others = rest + (size_t)slot * 2 * 16 * 256;
                    if (work.slabs * part / parts < xSlabs) take(others, cx, thread);
                    if (work.slabs * (part + 1) / parts > xSlabs) take(others + 16 * 256, cg, thread);
                }
            }
            float sums5[5] = { 0, 0, 0, 0, 0 };
            // Element i of a thread: row and column in the part of the tile that its warpgroup multiplied.
            int firstRow = group * 64 + (warp & 3) * 16 + (lane >> 2), firstColumn = (lane & 3) * 2;
            #pragma unroll
            for (int i = 0; i < 64; i++) {
                float a = cx[i] + bias, c = cg[i];
                sums5[0] += a * c; sums5[1] += a * a; sums5[2] += c * c;
                int row = firstRow + ((i >> 1) & 1) * 8, column = (i >> 2) * 8 + firstColumn + (i & 1);
                if (diagonal && row == column) { sums5[3] += a; sums5[4] += c; }
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
            if (thread < 5) {
                float total = 0;
                #pragma unroll
                for (int w = 0; w < 8; w++) total += sums[w][thread];
                to[thread] = diagonal ? total : 2 * total;   // no traces off the diagonal
            }
        }
    }
}
