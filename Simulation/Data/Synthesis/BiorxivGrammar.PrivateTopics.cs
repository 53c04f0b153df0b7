using System.Collections.Immutable;

namespace Chorus.Simulation.Data.Synthesis;

internal static partial class BiorxivGrammar
{
    /// <summary>Topics of the private clients: rare in the public set.</summary>
    private static ImmutableArray<Topic> PrivateTopics =>
    [
        new("cortical circuits", """
            subject: pyramidal neurons | inhibitory interneurons | hippocampal place cells | cortical glia | dopamine neurons
            thing: the visual cortex | the hippocampal circuit | the frontal cortex | the dendritic spine
            process: synaptic plasticity | working memory | spatial navigation | sensory coding | theta waves
            problem: memory loss | seizures | chronic stress | sensory deprivation
            act: encode spatial memory | fire with theta waves | gate sensory input | predict reward | replay past trajectories
            fact: fired in bursts | tracked the position of the animal | responded to the reward cue | formed new synapses
            where: in mouse visual cortex | in the hippocampus | across cortical layers | in awake behaving mice
            cond: during learning | after fear conditioning | during sleep | in darkness
            method: two-photon calcium imaging | laser stimulation | patch clamp recording | silicon probes
            gene: Fos | Arc | BDNF | CaMKII
            """),
        new("single-cell immunology", """
            subject: regulatory T cells | memory B cells | lung macrophages | natural killer cells | dendritic cells
            thing: the thymus | the immune atlas | the lymph node | the T cell receptor repertoire
            process: T cell exhaustion | clonal expansion | cytokine release | antigen presentation | immune activation
            problem: autoimmune attack | chronic inflammation | sepsis | allergic asthma
            act: resolve inflammation | recognize self antigens | home to lymph nodes | secrete interferon | expand after vaccination
            fact: showed signs of exhaustion | formed distinct clusters | entered the inflamed tissue | released cytokines
            where: in peripheral blood | in human spleen | across immune tissues | in the inflamed gut
            cond: after stimulation | during infection | following vaccination | at steady state
            method: single-cell RNA sequencing | flow cytometry | mass cytometry | spatial profiling
            gene: FOXP3 | CD8A | IL10 | TCF7
            """),
        new("cancer", """
            subject: tumor cells | circulating tumor cells | brain tumor cells | stromal cells | melanoma cells
            thing: the tumor core | checkpoint blockade | the breast cancer genome | the metastatic niche
            process: metastasis | tumor growth | drug resistance | vessel growth | cell death
            problem: pancreatic cancer | chemotherapy resistance | tumor relapse | genome instability
            act: evade immune surveillance | colonize the lung | resist chemotherapy | escape cell death | reprogram their metabolism
            fact: gained resistance mutations | invaded the surrounding stroma | stopped dividing | regressed upon treatment
            where: in patient biopsies | in breast tumors | in lung tumors | at the invasive margin
            cond: under hypoxia | after chemotherapy | upon checkpoint blockade | in nude mice
            method: whole-exome sequencing | a CRISPR knockout screen | tissue staining | drug response assays
            gene: TP53 | KRAS | MYC | PTEN
            """),
        new("gut microbiome", """
            subject: gut bacteria | gut commensals | milk bacteria | intestinal epithelial cells | bacteriophages
            thing: the gut microbiome | the mucus layer | a high-fiber diet | the gut lining
            process: bile acid metabolism | microbial diversity | fatty acid production | gut barrier function | gene transfer
            problem: obesity | bowel inflammation | antibiotic exposure | dysbiosis
            act: ferment dietary fiber | colonize the infant gut | compete for mucin | produce butyrate | exclude pathogens
            fact: bloomed after antibiotic treatment | degraded dietary fiber | lost strain diversity | correlated with body mass
            where: in fecal samples | in germ-free mice | in the human colon | along the intestinal tract
            cond: on a high-fat diet | after antibiotics | in early life | following fecal transplant
            method: 16S sequencing | shotgun sequencing | mass spectrometry | bacterial culture
            gene: MUC2 | TLR4 | FXR | NOD2
            """),
        new("protein structure", """
            subject: membrane transporters | ion channels | protein chaperones | membrane receptors | ribosomes
            thing: the binding pocket | the proteasome | the allosteric site | the membrane domain
            process: protein folding | ligand binding | channel gating | substrate transport | protein aggregation
            problem: misfolding | low stability | structural disorder | amyloid formation
            act: bind their ligands | move their substrates | change their shape | assemble into oligomers | gate open
            fact: adopted an inward-open state | formed a stable dimer | formed large crystals | bound the inhibitor tightly
            where: in lipid membranes | at the dimer interface | in the cryo-EM density | in the crystal lattice
            cond: at neutral pH | in the presence of ATP | upon ligand binding | at 3 angstrom resolution
            method: cryo-electron microscopy | X-ray diffraction | computer simulation | a binding assay
            gene: HSP70 | TRPV1 | KCNQ1 | GroEL
            """),
        new("genome editing", """
            subject: Cas9 enzymes | guide RNAs | base editors | repair templates | prime editors
            thing: the target locus | the delivery vector | the repair template | the edited genome
            process: DNA repair | off-target cleavage | gene silencing | gene expression | chromatin opening
            problem: off-target mutation | vector toxicity | cell death | low editing efficiency
            act: edit the target locus | cut both strands of DNA | correct point mutations | accept mismatches | silence transcription
            fact: introduced precise edits | cleaved off-target sites | accepted single mismatches | restored the reading frame
            where: at the target locus | in HEK293 cells | in human embryos | across the genome
            cond: after injection | with a single guide RNA | in dividing cells | without a donor template
            method: targeted sequencing | viral delivery | a pooled CRISPR screen | digital PCR
            gene: AAVS1 | EMX1 | VEGFA | HBB
            """),
        new("virus and antibody", """
            subject: neutralizing antibodies | spike proteins | influenza viruses | HIV reservoirs | infected epithelial cells
            thing: the spike protein | the viral genome | the mRNA vaccine | the receptor site
            process: viral entry | antibody neutralization | viral replication | antigenic drift | membrane fusion
            problem: immune escape | viral reactivation | pandemic spread | long-term infection
            act: neutralize the virus | bind the host receptor | escape from antibodies | replicate in airway cells | block membrane fusion
            fact: neutralized diverse strains | mutated at the receptor site | shed infectious virus | waned within months
            where: in blood sera | in airway cultures | in nasal swabs | on the viral surface
            cond: after two vaccine doses | during acute infection | in hamsters | post infection
            method: neutralization assays | deep mutation scanning | viral sequencing | ELISA
            gene: ACE2 | CD4 | IFN1 | gp120
            """),
        new("stem cells and organoids", """
            subject: embryonic stem cells | brain organoids | muscle stem cells | neural crest cells | intestinal organoids
            thing: the stem cell niche | the Wnt gradient | the early embryo | the regenerating limb
            process: lineage commitment | tissue regeneration | self-renewal | organ growth | nerve growth
            problem: tissue aging | developmental delay | developmental arrest | fibrosis
            act: become heart cells | form organoids | leave the stem cell state | regenerate damaged tissue | divide in two
            fact: became beating heart cells | formed neural rosettes | lost stem cell markers | repopulated the niche
            where: in human organoids | in zebrafish embryos | within the stem cell niche | in regenerating muscle
            cond: under Wnt inhibition | after injury | on day 10 of culture | in the absence of serum
            method: lineage tracing | confocal microscopy | ATAC-seq | live imaging
            gene: SOX2 | OCT4 | PAX7 | NOTCH1
            """),
    ];
}
