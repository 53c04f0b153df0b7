using Chorus.Gpu.Runtime;

namespace Chorus.Gpu.Tests;

/// <summary>libtorch, loaded once for all tests of this assembly, with two threads so that figures repeat.</summary>
public sealed class TorchFixture
{
    public TorchFixture() => TorchRuntime.Prepare(threads: 2);
}

/// <summary>Tests that use tensors are in this collection: they run one after the other, so that live tensors can be counted.</summary>
[CollectionDefinition(Name)]
public sealed class TorchCollection : ICollectionFixture<TorchFixture>
{
    public const string Name = "torch";
}
