// sample_norms_sm80: squared norms of each sample's gradient G_b^T X_b of a linear layer on tensor cores of compute capability 8.0 and
// later (mma.sync), any T, P, D. Two ways, of which NormCost chooses by counting:
//   gram_norm:   n_b^2 = sum_{t,t'} (x_t . x_t') (g_t . g_t'), tiles of 128 x 128 token pairs on and below the diagonal;
//   direct_norm: the tiles of G_b^T X_b themselves, 128 x 128, each squared, summed and dropped.
// Neither writes a T x T or a D x P matrix to memory.
//
// Shapes: B samples, T tokens, P inputs, D outputs. x (B,T,P), g (B,T,D) bf16 (f16 with HALF), contiguous. Copies are 16 bytes wide where
// rows are multiples of 8 elements and aligned (`wide`), else element by element. What lies past T, P or D is zero in shared memory.
// 256 threads, 8 warps of 64 x 32; 3 slabs in flight (cp.async), 96 KiB of shared memory. Sums in float32.
// gram_norm: partial (B, tiles, 5) f32, as gram_norm_bound.cu reads it; grid B * tiles. FLOPs: T^2 (P + D) B.
// direct_norm: partial (B, stride) f32, this g's tilesD * tilesP from offset on; grid B * tilesD * tilesP. FLOPs: 2 T P D B.
// row_norms: out (rows) f32 = |row|, rounded upwards, of (rows, width); one warp a row.
// direct_norm_bound: bound (B) f32 from direct_norm's sums and the rows' norms; grid B, 128 threads.

#if HALF
#define TYPE "f16"
#else
#define TYPE "bf16"
#endif
#define TILE 128
#define SLAB 64
#define STAGES 3
#define SLAB_BYTES (TILE * SLAB * 2)
#define STAGE_BYTES (2 * SLAB_BYTES)

typedef unsigned short Number;

__device__ __forceinline__ unsigned smem_of(const void* p) { return (unsigned)__cvta_generic_to_shared(p); }

__device__ __forceinline__ float widen(Number n) {
#if HALF
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(n));
    return value;
#else
    return __uint_as_float((unsigned)n << 16);
#endif
}

// Eight elements of a row to shared memory, zeros from `count` on.
__device__ __forceinline__ void copy_eight(unsigned to, const Number* from, int count, bool wide) {
    if (wide) {
        int bytes = count > 0 ? 16 : 0;
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" :: "r"(to), "l"(from), "r"(bytes) : "memory");
        return;
    }
    unsigned words[4];
    #pragma unroll
    for (int i = 0; i < 4; i++) {
        unsigned low = 2 * i < count ? from[2 * i] : 0, high = 2 * i + 1 < count ? from[2 * i + 1] : 0;
        words[i] = low | high << 16;
    }
    asm volatile("st.shared.v4.b32 [%0], {%1, %2, %3, %4};" :: "r"(to), "r"(words[0]), "r"(words[1]), "r"(words[2]), "r"(words[3]) : "memory");
}
__device__ __forceinline__ void commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
__device__ __forceinline__ void wait_copies() { asm volatile("cp.async.wait_group %0;" :: "n"(STAGES - 2) : "memory"); }

// A slab in shared memory: ROWS rows of COLUMNS elements; the chunks of 8 of a row are exchanged by the row's last bits, so that eight rows of
// one chunk lie in different banks.
template <int COLUMNS> __device__ __forceinline__ unsigned chunk_at(unsigned slab, int row, int chunk) {
    return slab + row * (COLUMNS * 2) + ((chunk ^ (row & 7)) << 4);
}

// ROWS x COLUMNS elements of a matrix (height, width) from (row, column) on, by 256 threads.
template <int ROWS, int COLUMNS> __device__ __forceinline__ void copy_slab(unsigned slab, const Number* matrix, int height, int width, int row, int column, bool wide) {
    constexpr int CHUNKS = COLUMNS / 8;
    #pragma unroll
    for (int i = threadIdx.x; i < ROWS * CHUNKS; i += 256) {
        int r = i / CHUNKS, c = i % CHUNKS, left = width - column - 8 * c;
        bool inside = row + r < height && left > 0;
        // Outside nothing is read, but the address must be one of the matrix.
        const Number* from = inside ? matrix + (size_t)(row + r) * width + column + 8 * c : matrix;
        copy_eight(chunk_at<COLUMNS>(slab, r, c), from, inside ? left : 0, wide);
    }
}

__device__ __forceinline__ void load_four(unsigned (&f)[4], unsigned at) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];" : "=r"(f[0]), "=r"(f[1]), "=r"(f[2]), "=r"(f[3]) : "r"(at) : "memory");
}
__device__ __forceinline__ void load_four_turned(unsigned (&f)[4], unsigned at) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];" : "=r"(f[0]), "=r"(f[1]), "=r"(f[2]), "=r"(f[3]) : "r"(at) : "memory");
}
__device__ __forceinline__ void multiply(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32." TYPE "." TYPE ".f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// A warp's 64 x 32 of a 128 x 128 tile: element [i][j][e] is row 16 i + lane / 4 + 8 (e / 2), column 8 j + 2 (lane % 4) + e % 2 of it.
typedef float Tile[4][4][4];

__device__ __forceinline__ void clear(Tile& c) {
    #pragma unroll
    for (int i = 0; i < 4; i++)
        #pragma unroll
        for (int j = 0; j < 4; j++)
            #pragma unroll
            for (int e = 0; e < 4; e++) c[i][j][e] = 0;
}

// The slab's part of rows times columns: both slabs are [token][feature], multiplied over features (TURNED false, Gram), or over tokens
// (TURNED true, gradient).
template <bool TURNED> __device__ __forceinline__ void multiply_slab(Tile& c, unsigned left, unsigned right) {
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    int firstRow = (warp & 1) * 64, firstColumn = (warp >> 1) * 32, in8 = lane & 7, odd = (lane >> 3) & 1, high = lane >> 4;
    #pragma unroll
    for (int k = 0; k < SLAB; k += 16) {
        unsigned a[4][4], b[2][4];
        #pragma unroll
        for (int i = 0; i < 4; i++) {
            int row = firstRow + 16 * i;
            if (TURNED) load_four_turned(a[i], chunk_at<TILE>(left, k + in8 + 8 * high, (row >> 3) + odd));
            else load_four(a[i], chunk_at<SLAB>(left, row + in8 + 8 * odd, (k >> 3) + high));
        }
        #pragma unroll
        for (int j = 0; j < 2; j++) {
            int column = firstColumn + 16 * j;
            if (TURNED) load_four_turned(b[j], chunk_at<TILE>(right, k + in8 + 8 * odd, (column >> 3) + high));
            else load_four(b[j], chunk_at<SLAB>(right, column + in8 + 8 * high, (k >> 3) + odd));
        }
        #pragma unroll
        for (int i = 0; i < 4; i++)
            #pragma unroll
            for (int j = 0; j < 4; j++) multiply(c[i][j], a[i], b[j >> 1][2 * (j & 1)], b[j >> 1][2 * (j & 1) + 1]);
    }
}

// One Gram tile of a matrix (height, width): rows from `row` on times rows from `column` on.
__device__ __forceinline__ void gram_tile(Tile& c, unsigned memory, const Number* matrix, int height, int width, int row, int column, bool wide) {
    bool diagonal = row == column;
    int slabs = (width + SLAB - 1) / SLAB;
    __syncthreads();   // what was there has been read
    #pragma unroll
    for (int s = 0; s < STAGES - 1; s++) {
        if (s < slabs) {
            copy_slab<TILE, SLAB>(memory + s * STAGE_BYTES, matrix, height, width, row, s * SLAB, wide);
            if (!diagonal) copy_slab<TILE, SLAB>(memory + s * STAGE_BYTES + SLAB_BYTES, matrix, height, width, column, s * SLAB, wide);
        }
        commit();
    }
    for (int s = 0; s < slabs; s++) {
        wait_copies();
        __syncthreads();
        int next = s + STAGES - 1;
        if (next < slabs) {
            unsigned to = memory + (next % STAGES) * STAGE_BYTES;
            copy_slab<TILE, SLAB>(to, matrix, height, width, row, next * SLAB, wide);
            if (!diagonal) copy_slab<TILE, SLAB>(to + SLAB_BYTES, matrix, height, width, column, next * SLAB, wide);
        }
        commit();
        unsigned from = memory + (s % STAGES) * STAGE_BYTES;
        multiply_slab<false>(c, from, diagonal ? from : from + SLAB_BYTES);
    }
}

// The sums of N numbers over the block, at thread 0.
template <int N> __device__ __forceinline__ void add_up(float (&sums)[N], float (*shared)[N]) {
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    #pragma unroll
    for (int k = 0; k < N; k++) {
        #pragma unroll
        for (int o = 16; o > 0; o >>= 1) sums[k] += __shfl_xor_sync(0xFFFFFFFFu, sums[k], o);
        if (lane == 0) shared[warp][k] = sums[k];
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        #pragma unroll
        for (int k = 0; k < N; k++) {
            sums[k] = 0;
            #pragma unroll
            for (int w = 0; w < 8; w++) sums[k] += shared[w][k];
        }
    }
}

struct Gradients { const Number* g[3]; int width[3]; int count; };

extern "C" __global__ void __launch_bounds__(256, 1) gram_norm(
    const Number* __restrict__ x, Gradients gs, float* __restrict__ partial, const int* __restrict__ lengths, int tiles, int time, int inSize, float bias, int wideX, int wideG) {
    extern __shared__ __align__(128) unsigned char memory[];
    __shared__ float shared[8][5];
    int sample = blockIdx.x / tiles, k = blockIdx.x % tiles;
    int row = (int)((sqrtf(8.0f * k + 1.0f) - 1.0f) * 0.5f);
    while ((row + 1) * (row + 2) / 2 <= k) row++;
    while (row * (row + 1) / 2 > k) row--;
    int column = k - row * (row + 1) / 2;
    float* to = partial + (size_t)blockIdx.x * 5;
    if (lengths && row * TILE >= lengths[sample]) {   // g has nothing but zeros there
        if (threadIdx.x < 5) to[threadIdx.x] = 0;
        return;
    }
    Tile a, c;
    clear(a);
    clear(c);
    unsigned at = smem_of(memory);
    gram_tile(a, at, x + (size_t)sample * time * inSize, time, inSize, row * TILE, column * TILE, wideX);
    for (int i = 0; i < gs.count; i++) gram_tile(c, at, gs.g[i] + (size_t)sample * time * gs.width[i], time, gs.width[i], row * TILE, column * TILE, wideG);
    float sums[5] = { 0, 0, 0, 0, 0 };
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    #pragma unroll
    for (int i = 0; i < 4; i++)
        #pragma unroll
        for (int j = 0; j < 4; j++)
            #pragma unroll
            for (int e = 0; e < 4; e++) {
                float u = a[i][j][e] + bias, v = c[i][j][e];
                sums[0] += u * v; sums[1] += u * u; sums[2] += v * v;
                int r = (warp & 1) * 64 + 16 * i + (lane >> 2) + 8 * (e >> 1), s = (warp >> 1) * 32 + 8 * j + 2 * (lane & 3) + (e & 1);
                if (row == column && r == s) { sums[3] += u; sums[4] += v; }
            }
    add_up(sums, shared);
    if (threadIdx.x == 0) {
        float twice = row == column ? 1.0f : 2.0f;
        to[0] = twice * sums[0]; to[1] = twice * sums[1]; to[2] = twice * sums[2]; to[3] = sums[3]; to[4] = sums[4];
    }
}

extern "C" __global__ void __launch_bounds__(256, 2) direct_norm(
    const Number* __restrict__ x, const Number* __restrict__ g, float* __restrict__ partial, const int* __restrict__ lengths, int tilesOut, int tilesIn, int stride, int offset, int time, int inSize, int outSize, int wideX, int wideG) {
    extern __shared__ __align__(128) unsigned char memory[];
    __shared__ float shared[8][1];
    int sample = blockIdx.x / (tilesOut * tilesIn), k = blockIdx.x % (tilesOut * tilesIn);
    int out = k / tilesIn * TILE, in = k % tilesIn * TILE;
    int height = lengths ? min(time, lengths[sample]) : time, slabs = (height + SLAB - 1) / SLAB;
    const Number* left = g + (size_t)sample * time * outSize;
    const Number* right = x + (size_t)sample * time * inSize;
    Tile c;
    clear(c);
    unsigned at = smem_of(memory);
    #pragma unroll
    for (int s = 0; s < STAGES - 1; s++) {
        if (s < slabs) {
            copy_slab<SLAB, TILE>(at + s * STAGE_BYTES, left, height, outSize, s * SLAB, out, wideG);
            copy_slab<SLAB, TILE>(at + s * STAGE_BYTES + SLAB_BYTES, right, height, inSize, s * SLAB, in, wideX);
        }
        commit();
    }
    for (int s = 0; s < slabs; s++) {
        wait_copies();
        __syncthreads();
        int next = s + STAGES - 1;
        if (next < slabs) {
            unsigned to = at + (next % STAGES) * STAGE_BYTES;
            copy_slab<SLAB, TILE>(to, left, height, outSize, next * SLAB, out, wideG);
            copy_slab<SLAB, TILE>(to + SLAB_BYTES, right, height, inSize, next * SLAB, in, wideX);
        }
        commit();
        unsigned from = at + (s % STAGES) * STAGE_BYTES;
        multiply_slab<true>(c, from, from + SLAB_BYTES);
    }
    float sum[1] = { 0 };
    #pragma unroll
    for (int i = 0; i < 4; i++)
        #pragma unroll
        for (int j = 0; j < 4; j++)
            #pragma unroll
            for (int e = 0; e < 4; e++) sum[0] += c[i][j][e] * c[i][j][e];
    add_up(sum, shared);
    if (threadIdx.x == 0) partial[(size_t)sample * stride + offset + k] = sum[0];
}

extern "C" __global__ void __launch_bounds__(256) row_norms(const Number* __restrict__ matrix, float* __restrict__ out, long long rows, int width) {
    long long row = (long long)blockIdx.x * 8 + (threadIdx.x >> 5);
    if (row >= rows) return;
    float sum = 0;
    for (int i = threadIdx.x & 31; i < width; i += 32) { float v = widen(matrix[row * width + i]); sum += v * v; }
    #pragma unroll
    for (int o = 16; o > 0; o >>= 1) sum += __shfl_xor_sync(0xFFFFFFFFu, sum, o);
    // The sum has at most width / 32 + 6 roundings of 2^-24 in a row.
    if ((threadIdx.x & 31) == 0) out[row] = sqrtf(sum) * (1.0f + (width / 32 + 16) * 5.9604645e-8f);
}

// |G^T X as computed|, of which the sum of squares is known up to u, and its distance from the exact matrix: a tensor core's error in one
// element is at most gamma sum_t |g_td| |x_tp|, so in norm at most gamma sum_t |g_t| |x_t|.
extern "C" __global__ void __launch_bounds__(128) direct_norm_bound(
    const float* __restrict__ partial, const float* __restrict__ xNorms, const float* __restrict__ gNorms, const float* __restrict__ biasSquares, float* __restrict__ bound,
    int tiles, int time, int gradients, int samples, float gamma) {
    __shared__ double squares[128], sizes[128];
    double square = 0, size = 0;
    int b = blockIdx.x;
    for (int i = threadIdx.x; i < tiles; i += 128) square += partial[(size_t)b * tiles + i];
    for (int t = threadIdx.x; t < time; t += 128) {
        double g2 = 0, xn = xNorms[(size_t)b * time + t];
        for (int k = 0; k < gradients; k++) { double n = gNorms[((size_t)k * samples + b) * time + t]; g2 += n * n; }
        size += sqrt(g2 * (biasSquares ? xn * xn + 1 : xn * xn));
    }
    squares[threadIdx.x] = square; sizes[threadIdx.x] = size;
    __syncthreads();
    for (int o = 64; o > 0; o >>= 1) {
        if (threadIdx.x < o) { squares[threadIdx.x] += squares[threadIdx.x + o]; sizes[threadIdx.x] += sizes[threadIdx.x + o]; }
        __syncthreads();
    }
    if (threadIdx.x == 0) {
        const double u = 1.0 / (1 << 18);   // of the sums of squares: a tile's in float32
        double norm = sqrt((squares[0] + (biasSquares ? biasSquares[b] : 0)) * (1 + u)) + gamma * sizes[0];
        double value = norm * norm;
        bound[b] = value != value ? (float)value : __double2float_ru(value);
    }
}
