namespace Chorus.Simulation.Data.Synthesis;

/// <summary>Abstracts: styles, frames and the words all topics share. Findings are made up.</summary>
internal static partial class BiorxivGrammar
{
    public static GrammarSource Source => new(
        [.. PrivateTopics, .. PublicTopics],
        [
            new("the short report of a molecular lab", """
                How {subject} {act} remains poorly understood.
                Here we show that {subject} {fact} {cond}.
                {Thing} plays a key role in {process}, but its regulation is unclear.
                Here we use {method} to study {process}.
                """, """
                Together, these data reveal how {subject} {act}.
                Thus, {gene} is a promising therapeutic target.
                Our results uncover a new role for {gene}.
                """),
            new("the methods paper", """
                Motivation: {method} produces large data sets, but {problem} limits its use.
                We present a deep learning framework that models {process}.
                We introduce {tool}, an open source tool for {method}.
                """, """
                Code is freely available on GitHub.
                {Tool} is available as an R package.
                All data are freely available.
                """),
            new("the clinical cohort", """
                Background: {Problem} is a major cause of morbidity.
                Objective: To determine whether {subject} {act} {cond}.
                Methods: {Method} was performed in {n} participants.
                """, """
                Conclusions: Larger clinical trials are warranted.
                Conclusions: {Gene} is an independent predictor of {process}.
                Trial registration is pending.
                """),
            new("the field study", """
                Understanding how {subject} {act} is a central goal of ecology.
                {Problem} is among the greatest threats to {thing}.
                In nature, {subject} often {act} {cond}.
                """, """
                Our findings have implications for conservation and management.
                We discuss these patterns in light of life history theory.
                Long term monitoring is needed.
                """),
            new("the classical experiment", """
                The effect of {problem} on {process} was investigated.
                Experiments were carried out {cond} to examine {process}.
                {Subject} were collected {where} and examined by {method}.
                """, """
                The significance of these observations is discussed.
                It is concluded that {problem} influences {process}.
                """),
            new("the essay on theory", """
                Why do {subject} {act}?
                It has long been argued that {subject} {act} {cond}.
                A general theory of {process} is still missing.
                """, """
                We argue that these ideas deserve a new synthesis.
                We close with open questions.
                """),
        ],
        """
        {Using} {method}, {show} {subject} {fact} {adverb} {cond}.
        {But} {problem} {down} {process} {stat}.
        {Show} {gene} {down} {process} {fold} {cond}.
        {Also}, {subject} {fact} {where}, {suggest} they {act}.
        {So}, {gene} {role} {process}.
        {Using} {n} {sample} {where}, {we} {measured} {process} {stat}.
        Loss of {gene} {up} {process} {fold} {stat}.
        {Method} {revealed} {adj} {process} {cond}.
        {Show} {adj} changes in {process} predict {problem} {stat}.
        {But} whether {subject} {act} {cond} was {unknown}.
        Expression of {gene} {grew} {fold} {cond}, {stat}.
        {Also}, {process} {grew} {adverb} {cond}.
        {Subject} with {adj} {process} {fact}, {suggest} they {act}.
        This {adj} effect on {process} was {seen} {where} {stat}.
        {So}, {thing} {role} {process} {cond}.
        {Using} {method}, {we} {measured} how {subject} {act}.
        {Show} {problem} and {process} are {linked} {gene}.
        In {n} of {n2} {sample}, {subject} {fact} {stat}.
        {Also}, {gene} {down} {process}, {suggest} a {adj} role {where}.
        {But} {thing} {down} {process} {adverb} {cond}.
        """,
        """
        but: However, | Yet | Despite this, | Nevertheless, | On the other hand, | But
        also: Strikingly | Furthermore | In addition | Interestingly | Moreover | Likewise
        so: In turn | As a result | Overall | Consequently | Hence | In this view
        show: we find that | we demonstrate that | there was evidence that | we found that | it was observed that | we propose that
        using: Using | Applying | Having performed | Based on | By means of | Drawing on
        stat: in vivo | on held-out benchmarks | (P < 0.001) | in both years | as compared with controls | in principle
        fold: by {n}-fold | by a factor of {n} | by {n}% (95% CI) | from {n} to {n2} percent | {n} per cent | many times over
        suggest: suggesting | indicating | which implies | consistent with the hypothesis | from which it appears | as if to say
        unknown: unknown | not modeled | not reported | rarely studied | not established | never asked
        role: is required for | is a useful feature for | is a risk factor for | is an important driver of | exerts an influence upon | lies at the heart of
        we: we | our pipeline | the investigators | over two seasons we | the authors | one
        measured: quantified | benchmarked | assessed | surveyed | determined | might ask about
        adverb: specifically | more accurately than before | significantly | consistently | to a marked degree | in general
        revealed: uncovered | recovers | identified | documented | disclosed | hints at
        linked: coupled through | jointly predicted from | associated independently of | linked by | connected by way of | two faces of
        seen: abolished in mutants | reproduced across data sets | similar in both groups | consistent among sites | confirmed by repeated trials | expected from theory
        grew: doubled | was well predicted | was elevated | varied among sites | was augmented | tends to grow
        up: increases | improves prediction of | was associated with higher | raised | was found to augment | favors
        down: suppresses | explains variance in | was associated with reduced | shaped | was found to diminish | constrains
        """,
        """
        adj: robust | dynamic | selective | rapid | widespread | tissue-specific | long-lasting | nonlinear | subtle | distinct
        n: 3 | 4 | 6 | 8 | 12 | 15 | 24 | 32
        n2: 40 | 48 | 60 | 75 | 96 | 120
        tool: {syl}{suffix} | deep{syl} | {syl}Net
        syl: Neuro | Flex | Omni | Path | Trace | Vari | Lumi | Quanta
        suffix: Seq | Map | Fold | Track | Mix | Scope
        sample: samples | individuals | replicates | sites | sections | plates | recordings | genomes
        """);
}
