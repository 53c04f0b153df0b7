namespace Chorus.Simulation.Data.Synthesis;

/// <summary>Floor speeches: styles, frames and the words all topics share. Names are put together from syllables.</summary>
internal static partial class CongressGrammar
{
    public static GrammarSource Source => new(
        [.. PrivateTopics, .. PublicTopics],
        [
            new("plain talk on the House floor", """
                Mr. Speaker, I rise today because {who} {where} {fact}.
                Mr. Speaker, folks in {state} are worried about {problem}.
                Mr. Speaker, I rise today in support of {bill}.
                Mr. Speaker, it is time to {act}.
                """, """
                I yield back the balance of my time.
                I urge a yes vote, and I yield back.
                Let us get this done.
                """),
            new("the Senate's courtesies", """
                Madam President, I come to the floor to speak about {problem}.
                Madam President, my colleagues and I have offered {bill}.
                Madam President, I ask the Senate to {act}.
                """, """
                I yield the floor.
                I thank the Chair, and I yield the floor.
                I suggest the absence of a quorum.
                """),
            new("the hour of the caucus", """
                Madam Speaker, enough is enough: {problem} {hurt} {folk}.
                Madam Speaker, the American people sent us here to {act}.
                Madam Speaker, where is the plan to {act}?
                """, """
                Shame on this House if we look away.
                The American people are watching.
                Vote no on delay and yes on {bill}.
                """),
            new("the message of a president", """
                Members of the Congress, the state of {thing} concerns us all.
                My fellow citizens, the time has come to {act}.
                My fellow Americans, I recommend that the Congress pass {bill}.
                """, """
                With the help of God, we shall not fail.
                To that end I pledge the full strength of this Government.
                May God bless the United States.
                """),
            new("the anniversary address", """
                We gather to honor {who} {where}, who {fact}.
                On this day let us remember {who}, who {fact}.
                Friends, no people ever did more to {act}.
                """, """
                Their example will light our way.
                Let us be worthy of them.
                """),
            new("the annual report of the last century", """
                Gentlemen of the Senate, the condition of {thing} demands your attention.
                Gentlemen of the Senate, I have the honor to transmit a report on {problem}.
                It becomes my duty to lay before you the state of {thing}.
                """, """
                I commend the subject to your early consideration.
                The papers are herewith submitted.
                """),
        ],
        """
        {Who} {where} {fact} {when}.
        {But} {problem} {hurt} {who} {where}.
        {So} {must} {act} and {do} {thing}.
        {Bill} would {act}, and it would {benefit}.
        Since {year}, {who} have asked us to {act}.
        {Many} {big} {who} {where} {fact}.
        The {group} found that {problem} rose by {pct} {when}.
        {Hon} {name} of {state} told the {group} that {who} {fact}.
        {Say} there is no {good} reason to live with {problem}.
        If we {act}, we can {benefit} {adverb}.
        {Also} {bill} sets aside {money} for {aid}.
        {Say} {who} deserve {good} laws and {aid}.
        {Folk} {where} cannot wait: {must} {do} {thing} {adverb}.
        With {money} for {aid}, {state} could {act}.
        {But} {who} {fact}, and {problem} {hurt} {folk}.
        When {problem} {hurt} {who}, the {group} did nothing.
        We can {do} {thing} and {benefit} at the same time.
        In {year}, {hon} {name} wrote {bill} to {act}.
        {Ask} {pass} {bill} and {do} {thing}.
        For {many} {big} {who}, {aid} would {benefit}.
        {Also} the {group} asked {hon} {name} how to {act} {where}.
        {So} I am proud to stand with {who} and {do} {thing}.
        {When}, {hon} {name} came to {state} to {do} {thing}.
        {Say} {money} for {aid} would {benefit}.
        """,
        """
        but: But | However, | And yet | Nevertheless, | Still, | Notwithstanding this,
        also: Also, | In addition, | On top of that, | Moreover, | Again, | Furthermore,
        so: So | For these reasons, | That is why | Therefore, | And so | Accordingly,
        must: we need to | the Senate should | Congress must | this Nation shall | let us all | it behooves us to
        ask: I ask my colleagues to | I urge all Senators to | I call on the leadership to | I again request the Congress to | I invite you to | I respectfully recommend that you
        pass: support | adopt | pass | enact | cherish | approve
        many: more than | over | at least | nearly | some | not less than
        folk: folks | my constituents | working families | our citizens | our people | the people
        say: I believe | It is clear that | We all know that | I am confident that | We remember that | It is evident that
        pct: {n} percent | nearly {n} percent | a full {n} percent | {n} per centum | about {n} parts in a hundred | {n} per cent
        money: ${n} million | ${n} million a year | {n} million dollars | {n} millions of dollars | the sum of ${n},000 | {n} thousand dollars
        when: last year | in recent months | this very week | since the war | in their day | during the past fiscal year
        year: {late} | {late} | {late} | {early} | {early} | {old}
        hon: Sheriff | Senator | Chairman | Secretary | the late Governor | the Honorable Mr.
        """,
        """
        do: strengthen | protect | defend | expand | restore | fund | reform | modernize | rebuild | renew | preserve | review
        hurt: hurt | burdened | harmed | failed | squeezed | troubled | weakened | threatened | punished | frightened
        good: sensible | fair | practical | bipartisan | modest | careful | bold | honest | lasting | timely
        adverb: quickly | carefully | together | at once | in good faith | without delay | this year | at low cost
        benefit: save lives | create jobs | lower costs | keep families together | build trust | restore confidence | reward hard work | open new doors | serve the public | honor our promises | steady the budget
        group: committee | subcommittee | Senate | House | administration | commission | Governor | department
        state: Ohio | Maine | Texas | Montana | Iowa | Georgia | Oregon | Kansas | Nevada | Vermont | Alaska | Florida | Virginia | Michigan
        n: 5 | 8 | 10 | 12 | 15 | 20 | 25 | 30 | 40 | 60
        big: 200 | 300 | 500 | 1,000 | 2,000 | 5,000 | 8,000 | 30,000
        name: {front}{back} | {back2}{front2} | {front}{back}
        front: Hal | Bren | Mar | Thorn | Dun | Wex | Col | Ash | Kel | Fair | Stan | Rad
        back: vorn | ley | field | wick | more | ton | by | stead | combe | dale
        front2: ari | enko | ovic | imoto | andez | ello | anski | owe
        back2: Tam | Per | Dor | Mil | Sal | Vel | Kor | Nav
        late: 2018 | 2019 | 2017 | 2016 | 2014 | 2012 | 2009
        early: 1946 | 1953 | 1961 | 1938 | 1974 | 1965 | 1949
        old: 1858 | 1871 | 1889 | 1843 | 1826 | 1902
        """);
}
