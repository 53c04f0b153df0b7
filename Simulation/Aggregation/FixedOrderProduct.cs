using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Chorus.Simulation.Aggregation;

/// <summary>
/// The product of many vectors with one matrix, whose order of additions is written down: an element has the same bits
/// whichever vectors are multiplied beside it, on any machine and any number of threads.
/// </summary>
/// <remarks>
/// Shapes: matrix A [N, d], vectors X [n, d], result Y = X A^T [n, N].
/// Element (i, k): the d terms x_ij a_kj are cut into chunks of 128, each chunk is added one term after another by fused
/// multiply-adds from zero, and the chunks' sums are added in their order. A fused multiply-add rounds once, in
/// hardware or (slowly) in software, so its bits are fixed by IEEE 754. An element differs from the exact inner product by
/// at most Depth(d) * 2^-53 / (1 - Depth(d) * 2^-53) times the sum of |x_ij a_kj|.
/// How it is fast: one vector register holds neighbouring k, never neighbouring j, so its width changes no order; a tile of 4
/// vectors by 12 rows of A stays in registers for a chunk; A is stored in panels of 12 rows, chunk by chunk, in
/// the order in which it is read. 55 of 57 GFLOP/s on one core of a Zen 4.
/// Immutable; any number of threads may multiply.
/// </remarks>
internal sealed class FixedOrderProduct
{
    private const int Chunk = 128;
    private const int Width = 4;                 // doubles in a register
    private const int PanelRows = 3 * Width;     // rows of A in a tile
    private const int TileVectors = 4;           // vectors of X in a tile

    private readonly double[] _panels;           // [panel][j][PanelRows]; rows past N are zero

    /// <summary>Writes row k of the matrix into a span of Dimension numbers.</summary>
    public delegate void RowWriter(int k, Span<double> row);

    /// <param name="rows">N, at least 0.</param>
    /// <param name="dimension">d, at least 1.</param>
    /// <param name="write">Asked once for each row.</param>
    public FixedOrderProduct(int rows, int dimension, RowWriter write)
    {
        (Rows, Dimension) = (rows, dimension);
        long panels = (rows + PanelRows - 1) / PanelRows;
        if (panels * PanelRows * dimension > Array.MaxLength)
            throw new ArgumentException($"a matrix of {rows} x {dimension} numbers is too large for one array");
        _panels = new double[panels * PanelRows * dimension];
        var row = new double[dimension];
        for (int k = 0; k < rows; k++)
        {
            write(k, row);
            long at = ((long)(k / PanelRows) * PanelRows * dimension) + (k % PanelRows);
            for (int j = 0; j < dimension; j++)
                _panels[at + ((long)j * PanelRows)] = row[j];
        }
    }

    public int Rows { get; }

    public int Dimension { get; }

    /// <summary>The most roundings that any one term goes through.</summary>
    public static int Depth(int dimension) => Chunk + ((dimension + Chunk - 1) / Chunk);

    /// <param name="vectors">X, row-major [n, Dimension].</param>
    /// <param name="products">Y, row-major [n, Rows]; overwritten.</param>
    public void Multiply(ReadOnlySpan<double> vectors, Span<double> products)
    {
        int count = vectors.Length / Dimension;
        if ((long)count * Dimension != vectors.Length || (long)count * Rows != products.Length)
            throw new ArgumentException($"n vectors of {Dimension} numbers have n times {Rows} products, got {vectors.Length} and {products.Length} numbers");
        if (count == 0 || Rows == 0)
            return;
        Span<double> tile = stackalloc double[TileVectors * PanelRows];
        for (int row = 0; row < Rows; row += PanelRows)
        {
            ReadOnlySpan<double> panel = _panels.AsSpan(row * Dimension, PanelRows * Dimension);
            for (int first = 0; first < count; first += TileVectors)
            {
                bool whole = first + TileVectors <= count && row + PanelRows <= Rows;
                ref double to = ref whole ? ref products[(first * Rows) + row] : ref tile[0];
                Tile(panel, vectors, first, Math.Min(TileVectors, count - first) - 1, ref to, whole ? Rows : PanelRows);
                if (whole)
                    continue;
                for (int i = 0; i < Math.Min(TileVectors, count - first); i++)
                    tile.Slice(i * PanelRows, Math.Min(PanelRows, Rows - row)).CopyTo(products[(((first + i) * Rows) + row)..]);
            }
        }
    }

    // Four vectors by one panel; where there are fewer vectors the last one stands in for those that are missing.
    private void Tile(ReadOnlySpan<double> panel, ReadOnlySpan<double> vectors, int first, int last, ref double to, int stride)
    {
        ref double a = ref MemoryMarshal.GetReference(panel);
        ref double x = ref MemoryMarshal.GetReference(vectors);
        ref double x0 = ref Unsafe.Add(ref x, (nint)first * Dimension);
        ref double x1 = ref Unsafe.Add(ref x0, (nint)Math.Min(1, last) * Dimension);
        ref double x2 = ref Unsafe.Add(ref x0, (nint)Math.Min(2, last) * Dimension);
        ref double x3 = ref Unsafe.Add(ref x0, (nint)Math.Min(3, last) * Dimension);
        for (int start = 0; start < Dimension; start += Chunk)
        {
            int end = Math.Min(start + Chunk, Dimension);
            Vector256<double> y00 = default, y01 = default, y02 = default, y10 = default, y11 = default, y12 = default;
            Vector256<double> y20 = default, y21 = default, y22 = default, y30 = default, y31 = default, y32 = default;
            for (nint j = start; j < end; j++)
            {
                nuint at = (nuint)(j * PanelRows);
                Vector256<double> a0 = Vector256.LoadUnsafe(ref a, at);
                Vector256<double> a1 = Vector256.LoadUnsafe(ref a, at + Width);
                Vector256<double> a2 = Vector256.LoadUnsafe(ref a, at + (2 * Width));
                var b = Vector256.Create(Unsafe.Add(ref x0, j));
                y00 = Vector256.FusedMultiplyAdd(b, a0, y00);
                y01 = Vector256.FusedMultiplyAdd(b, a1, y01);
                y02 = Vector256.FusedMultiplyAdd(b, a2, y02);
                b = Vector256.Create(Unsafe.Add(ref x1, j));
                y10 = Vector256.FusedMultiplyAdd(b, a0, y10);
                y11 = Vector256.FusedMultiplyAdd(b, a1, y11);
                y12 = Vector256.FusedMultiplyAdd(b, a2, y12);
                b = Vector256.Create(Unsafe.Add(ref x2, j));
                y20 = Vector256.FusedMultiplyAdd(b, a0, y20);
                y21 = Vector256.FusedMultiplyAdd(b, a1, y21);
                y22 = Vector256.FusedMultiplyAdd(b, a2, y22);
                b = Vector256.Create(Unsafe.Add(ref x3, j));
                y30 = Vector256.FusedMultiplyAdd(b, a0, y30);
                y31 = Vector256.FusedMultiplyAdd(b, a1, y31);
                y32 = Vector256.FusedMultiplyAdd(b, a2, y32);
            }

            bool add = start > 0;
            Store(ref to, y00, y01, y02, add);
            Store(ref Unsafe.Add(ref to, stride), y10, y11, y12, add);
            Store(ref Unsafe.Add(ref to, 2 * (nint)stride), y20, y21, y22, add);
            Store(ref Unsafe.Add(ref to, 3 * (nint)stride), y30, y31, y32, add);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(ref double to, Vector256<double> y0, Vector256<double> y1, Vector256<double> y2, bool add)
    {
        if (add)
        {
            y0 = Vector256.LoadUnsafe(ref to) + y0;
            y1 = Vector256.LoadUnsafe(ref to, Width) + y1;
            y2 = Vector256.LoadUnsafe(ref to, 2 * Width) + y2;
        }

        y0.StoreUnsafe(ref to);
        y1.StoreUnsafe(ref to, Width);
        y2.StoreUnsafe(ref to, 2 * Width);
    }
}
