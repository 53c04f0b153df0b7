namespace Chorus.Actors;

/// <summary>A message of one run; what belongs to another run is dropped.</summary>
public interface IRunMessage
{
    string Run { get; }
}
