using System.Collections.Immutable;

namespace Chorus.Simulation.Data.Synthesis;

internal static partial class CongressGrammar
{
    /// <summary>Topics of the public set: rare among the private clients.</summary>
    private static ImmutableArray<Topic> PublicTopics =>
    [
        new("war and peace", """
            bill: the treaty of peace | the mutual defense pact | the arms limitation treaty | the selective service law
            who: soldiers | allied nations | free peoples | statesmen | the captive nations | sailors
            thing: the peace of the world | the armed forces | our alliance | the United Nations | the cause of freedom
            problem: the threat of war | the race of armaments | communist aggression | the burden of armaments | tyranny abroad
            act: keep the peace of the world | limit the weapons of war | stand by our allies | resist aggression | seek a just and lasting peace
            fact: laid down their arms | stood guard upon the frontier of freedom | fell in a distant land | signed the covenant of peace
            where: upon the battlefields of Europe | beyond the seas | in the councils of nations | behind the iron curtain
            aid: military assistance | the national defense | the Navy and the Air Force | the relief of war refugees
            """),
        new("tariffs and foreign trade", """
            bill: the reciprocal tariff law | the treaty of commerce | the merchant marine bill | the customs administration act
            who: merchants | importers | manufacturers | shipowners | foreign traders | wool growers
            thing: the tariff schedule | our foreign commerce | the merchant marine | the customs revenue | the carrying trade
            problem: the duty on imported wool | unequal tariffs | the decline of our shipping | discrimination against our exports | the surplus of the customs revenue
            act: revise the tariff | extend our foreign commerce | open new markets to our products | lower the duties on raw materials | build up the merchant marine
            fact: sent their goods to foreign markets | paid heavy duties at the custom house | carried our flag to every port | sought reciprocity in trade
            where: in foreign markets | at the custom house | upon the high seas | in the ports of South America
            aid: the consular service | ocean mail | harbor improvements | commercial treaties
            """),
        new("farms and drought", """
            bill: the farm credit bill | the soil conservation act | the crop insurance law | the homestead act
            who: farmers | cotton planters | tenant farmers | wheat growers | dairymen | homesteaders
            thing: the family farm | the price of wheat | our agricultural colleges | the grain elevator | the soil of the plains
            problem: the drought | the low price of cotton | the mortgage on the farm | soil erosion | the boll weevil
            act: insure the farmer against drought | store the surplus grain | extend credit to farmers | irrigate the dry lands | hold the price of wheat at parity
            fact: plowed under their cotton | lost their crops to the drought | harvested a record crop of corn | mortgaged the land to buy seed
            where: on the great plains | in the cotton belt | upon the western prairies | at the county fair
            aid: seed loans | rural electrification | irrigation works | agricultural research
            """),
        new("railroads and highways", """
            bill: the interstate highway bill | the railroad rate act | the Panama canal treaty | the inland waterways bill
            who: railroad men | engineers | shippers | motorists | canal builders | locomotive firemen
            thing: the interstate highway system | the transcontinental railroad | our inland waterways | the canal | the railway mail service
            problem: unjust railroad rates | the railway strike | worn out bridges | collisions of trains | the silting of the rivers
            act: regulate railroad rates | build a network of highways | dig a canal across the isthmus | dredge the rivers and harbors | settle the railway strike
            fact: laid track across the mountains | bridged the Mississippi | shipped their freight by rail | drove the golden spike
            where: along the railroad lines | upon the Mississippi | at the isthmus of Panama | on the main highways
            aid: bridges and roads | levees | railway terminals | canal locks
            """),
        new("currency and banking", """
            bill: the national banking act | the gold standard act | the silver purchase act | the Treasury note bill
            who: bankers | depositors | holders of bonds | debtors | wage earners | creditors
            thing: the gold reserve | the national currency | the sinking fund | the credit of the Treasury | the banking system
            problem: the panic in the money market | the hoarding of gold | inflation | the public debt | the coinage of silver
            act: maintain the gold standard | reduce the public debt | guard the credit of the nation | check inflation | redeem the Treasury notes
            fact: withdrew their deposits | exchanged notes for gold | bought government bonds | met every obligation in coin
            where: in the money market | at the Treasury | in the national banks | upon the exchanges
            aid: the redemption of bonds | the reserve banks | the mint | deposit insurance
            """),
        new("science and space", """
            bill: the space exploration act | the atomic energy act | the weather satellite bill | the polio vaccine act
            who: astronauts | physicists | young scientists | test pilots | rocket engineers | astronomers
            thing: the space program | the peaceful atom | the moon landing | the research laboratory | the satellite network
            problem: the lag in rocketry | the secrecy of atomic research | the peril of the unknown | radioactive fallout | the lack of laboratories
            act: land a man on the moon | harness the peaceful atom | explore the heavens | conquer disease through research | launch a weather satellite
            fact: circled the earth in orbit | split the atom | set foot upon the moon | mapped the stars
            where: in outer space | on the launching pad | in our laboratories | upon the surface of the moon
            aid: space stations | atomic power plants | basic research | rocket engines
            """),
        new("courts and civil rights", """
            bill: the civil rights act | the voting rights act | the judiciary reorganization bill | the fair housing act
            who: freedmen | Negro voters | jurors | women suffragists | marshals | the judges of the courts
            thing: the Constitution | the right to vote | the Supreme Court | equal justice under law | the jury system
            problem: the poll tax | lynching | segregation | the denial of the ballot | the delay of justice
            act: secure the right to vote | strike down the poll tax | end segregation | uphold the Constitution | give every man equal justice
            fact: marched for the ballot | were turned away from the polls | petitioned the courts for justice | sat down at the lunch counter
            where: in the Southern States | before the courts | at the ballot box | in the halls of justice
            aid: the relief of the courts | the registration of voters | legal defense | fair employment
            """),
        new("lands and conservation", """
            bill: the wilderness act | the public lands act | the national park bill | the forest reserve act
            who: forest rangers | settlers | Indian tribes | hunters and fishermen | foresters | campers
            thing: the national forest | the public domain | our wild rivers | the Yellowstone park | the timber reserve
            problem: the waste of timber | forest fires | the slaughter of game | polluted rivers | the encroachment upon Indian lands
            act: set aside the wilderness | replant the forests | preserve the wild rivers | survey the public lands | guard the forests against fire
            fact: fought the forest fires | pitched their tents beneath the redwoods | fished the mountain streams | surveyed the public lands
            where: in the national forests | upon Indian reservations | among the redwoods | in the mountains of the West
            aid: fire towers | tree nurseries | park roads | the purchase of timber lands
            """),
    ];
}
