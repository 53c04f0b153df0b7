using System.Collections.Immutable;

namespace Chorus.Simulation.Data.Synthesis;

internal static partial class BiorxivGrammar
{
    /// <summary>Topics of the public set: rare among the private clients.</summary>
    private static ImmutableArray<Topic> PublicTopics =>
    [
        new("bird ecology", """
            subject: migratory songbirds | seabirds | great tits | urban sparrows | breeding warblers
            thing: the breeding season | the migratory flyway | nest site choice | the winter range
            process: nest survival | migration timing | song learning | clutch size | population decline
            problem: habitat loss | light pollution | nest predation | earlier springs
            act: migrate at night | return to the same nest | advance their laying date | learn songs from neighbors | forage at sea
            fact: arrived earlier each spring | abandoned their nests | fledged fewer young | sang at a higher pitch
            where: in temperate woodland | on offshore islands | along the flyway | at urban feeders
            cond: during the breeding season | in cold springs | at stopover sites | before dawn
            method: geolocator tracking | mist netting | nest box monitoring | acoustic surveys
            gene: CLOCK | ADCYAP1 | MC1R | FOXP2
            """),
        new("plants and drought", """
            subject: maize seedlings | oak saplings | Arabidopsis roots | guard cells | wheat cultivars
            thing: the root system | leaf water potential | the stomatal pore | the growing season
            process: stomatal conductance | root growth | photosynthesis | flowering time | grain yield
            problem: drought | soil salinity | heat stress | nitrogen deficiency
            act: close their stomata | allocate carbon to roots | tolerate drought | flower early | store starch
            fact: wilted within days | grew deeper roots | flowered two weeks early | fixed less carbon
            where: in greenhouse trials | in the root zone | under field plots | in dry soils
            cond: under water deficit | at elevated CO2 | after rewatering | in long days
            method: gas exchange measurement | thermal imaging | a common garden trial | quantitative trait mapping
            gene: ABI1 | FLC | DREB2A | PHYB
            """),
        new("fish evolution", """
            subject: cichlid fishes | threespine sticklebacks | cavefish | guppies | salmon populations
            thing: the lake radiation | body armor | the hybrid zone | the fossil record
            process: adaptive radiation | speciation | gene flow | parallel evolution | sexual selection
            problem: hybridization | inbreeding depression | genetic drift | invasive competitors
            act: adapt to fresh water | diverge in body shape | choose brightly colored mates | evolve in parallel | return to natal streams
            fact: diverged since the last glaciation | lost their eyes | evolved reduced armor | hybridized along the shore
            where: in African rift lakes | in coastal streams | among isolated caves | across drainages
            cond: after secondary contact | in the absence of predators | over many generations | along the depth gradient
            method: whole-genome resequencing | geometric morphometrics | phylogenetic reconstruction | RAD sequencing
            gene: EDA | PITX1 | OCA2 | BMP6
            """),
        new("bees and ants", """
            subject: honey bees | bumble bee workers | leafcutter ants | paper wasps | solitary bees
            thing: the waggle dance | the colony | the queen pheromone | the foraging trail
            process: division of labor | foraging behavior | colony growth | nestmate recognition | pollen collection
            problem: neonicotinoid exposure | Varroa mites | colony collapse | pathogen spillover
            act: recruit nestmates to food | tend the brood | police rival workers | follow the foraging trail | learn floral scents
            fact: foraged over longer distances | abandoned the hive | laid unfertilized eggs | danced for richer flowers
            where: in observation hives | on wild flowers | inside the nest | at the feeder
            cond: in late summer | after queen loss | on sunny days | in crowded colonies
            method: radio-frequency tagging | video tracking | field exposure trials | pollen metabarcoding
            gene: FOR | VG | OR11 | AMFOR
            """),
        new("corals and oceans", """
            subject: reef corals | kelp forests | coralline algae | sea urchins | planktonic diatoms
            thing: the coral holobiont | the reef slope | the upwelling zone | the Great Barrier Reef
            process: calcification | coral bleaching | larval dispersal | primary production | nutrient cycling
            problem: ocean warming | acidification | overfishing | coastal runoff
            act: expel their symbionts | calcify in warm water | recover from bleaching | settle on bare rock | graze on kelp
            fact: bleached during the heat wave | hosted heat-tolerant symbionts | settled on dead reef | calcified more slowly
            where: on shallow reefs | in the open ocean | in tide pools | below the thermocline
            cond: at high temperature | in acidified seawater | during the marine heat wave | at low light
            method: underwater transects | remote sensing | mesocosm experiments | environmental DNA
            gene: HSP90 | SYM15 | CARB4 | FABP2
            """),
        new("soil and fungi", """
            subject: mycorrhizal fungi | soil nematodes | earthworms | saprotrophic fungi | nitrogen-fixing rhizobia
            thing: the leaf litter | the hyphal network | the soil carbon pool | the forest floor
            process: litter decomposition | soil respiration | carbon storage | nutrient uptake | fungal succession
            problem: nitrogen deposition | tillage | permafrost thaw | soil compaction
            act: decompose leaf litter | trade phosphorus for carbon | colonize fine roots | aerate the soil | fix nitrogen
            fact: colonized the fine roots | declined under fertilization | decomposed the litter layer | stored more carbon
            where: in boreal forest soils | in tilled fields | beneath old trees | in the litter layer
            cond: after clear-cutting | in frozen ground | with added nitrogen | under beech canopies
            method: stable isotope labeling | litter bag incubation | ITS metabarcoding | soil coring
            gene: LAC1 | NIFH | PT4 | GH7
            """),
        new("malaria and mosquitoes", """
            subject: Anopheles mosquitoes | malaria parasites | village households | tsetse flies | Aedes larvae
            thing: the bed net campaign | the transmission season | the parasite life cycle | the rainy season
            process: malaria transmission | insecticide resistance | host seeking | blood feeding | vector competence
            problem: childhood malaria | pyrethroid resistance | standing water | treatment failure
            act: bite indoors at night | transmit malaria parasites | breed in standing water | resist insecticides | rest on walls
            fact: bit earlier in the evening | survived insecticide exposure | carried drug-resistant parasites | bred in rice paddies
            where: in rural Tanzania | in village huts | around rice paddies | in western Kenya
            cond: in the rainy season | after spraying | at dusk | without bed nets
            method: human landing catches | household surveys | compartmental modeling | blood smear microscopy
            gene: KDR | PFCRT | K13 | CYP6P3
            """),
        new("muscle and locomotion", """
            subject: running ostriches | hawk moths | jumping frogs | climbing geckos | human walkers
            thing: the Achilles tendon | the wing beat | the stance phase | the leg muscle
            process: elastic energy storage | gait transition | muscle contraction | flight control | energy expenditure
            problem: muscle fatigue | rough terrain | tendon injury | added body mass
            act: store energy in tendons | change gait at high speed | stabilize flight in gusts | cling to smooth walls | swing the leg passively
            fact: shortened their stride | switched from walk to run | recovered from the push | landed on all four feet
            where: on a treadmill | in a wind tunnel | on inclined tracks | over rough terrain
            cond: at top speed | during steady flight | while carrying loads | at landing
            method: high-speed video | force plate recording | inverse dynamics | electromyography
            gene: MYH7 | TTN | ACTN3 | MSTN
            """),
    ];
}
