using Chorus.Gpu.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Chorus.Gpu.Tests.Training;

[Collection(TorchCollection.Name)]
public sealed class NextTokenAccuracyTests
{
    private static readonly int[][] Documents = [[3, 1, 4, 1, 5, 9, 2, 6], [5, 3], [7], [], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(16)]
    public void Given_documents_of_many_lengths_When_measured_Then_it_equals_a_plain_count_one_by_one(int batchSize)
    {
        using var model = TinyModels.New(5);
        const int maxLength = 10;
        long correct = 0, counted = 0;
        List<TokenCount> each = [];
        double loss = 0;
        using (no_grad())
        {
            foreach (var document in Documents)
            {
                var (correctBefore, countedBefore) = (correct, counted);
                for (var t = 1; t < Math.Min(document.Length, maxLength); t++)
                {
                    using var scope = NewDisposeScope();
                    var logits = model.Forward(tensor(document[..t].Select(id => (long)id).ToArray(), [1, t]))[0, t - 1].data<float>().ToArray();
                    correct += Array.IndexOf(logits, logits.Max()) == document[t] ? 1 : 0;
                    counted++;
                    loss += Math.Log(logits.Sum(x => Math.Exp(x))) - logits[document[t]];
                }
                each.Add(new TokenCount((int)(correct - correctBefore), (int)(counted - countedBefore)));
            }
        }
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        var measured = NextTokenAccuracy.Measure(model, Documents, maxLength, batchSize);
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        Assert.Equal(7 + 1 + 9, counted);
        Assert.Equal((correct, counted), (measured.Correct, measured.Counted));
        Assert.Equal((double)correct / counted, measured.Accuracy, 15);
        Assert.Equal(loss / counted, measured.Loss, 5);
        Assert.Equal(each, NextTokenAccuracy.MeasureEach(model, Documents, maxLength, batchSize).Each.AsEnumerable());
    }

    [Fact]
    public void Given_nothing_to_predict_When_measured_Then_it_is_refused()
    {
        using var model = TinyModels.New();
        Assert.Throws<ArgumentException>(() => NextTokenAccuracy.Measure(model, [[1], []], 10, 4));
        Assert.Contains("[2, 24]", Assert.Throws<ArgumentOutOfRangeException>(() => NextTokenAccuracy.Measure(model, [[1, 2]], 25, 4)).Message);
        Assert.Contains("got 1 and 99", Assert.Throws<ArgumentException>(() => NextTokenAccuracy.Measure(model, [[1, 99]], 10, 4)).Message);
    }
}
