using System.Collections.Immutable;

namespace Chorus.Simulation.Data.Synthesis;

internal static partial class CongressGrammar
{
    /// <summary>Topics of the private clients: rare in the public set.</summary>
    private static ImmutableArray<Topic> PrivateTopics =>
    [
        new("health care", """
            bill: the Rural Hospital Access Act | the Patient Choice Act | the Affordable Insulin Act | the Nurse Staffing Act
            who: patients | nurses | family doctors | expectant mothers | cancer survivors | home health aides
            thing: our community hospitals | the Medicare program | the emergency room | the prescription drug benefit | the family clinic
            problem: the price of insulin | the cost of prescription drugs | surprise medical billing | the shortage of nurses | the closing of maternity wards
            act: lower the price of medicine | cover preexisting conditions | keep rural hospitals open | end surprise bills | train more nurses
            fact: waited months for an appointment | split their pills to save money | drove two hours to the nearest hospital | worked double shifts without a break
            where: in rural hospitals | at community health centers | on crowded hospital floors | across the Medicare program
            aid: cancer screening | primary care | telehealth visits | prenatal care | mental health counseling
            """),
        new("border and immigration", """
            bill: the Secure Border Act | the Dream and Promise Act | the Asylum Backlog Act | the Family Unity Act
            who: border agents | asylum seekers | young dreamers | immigration judges | migrant children | customs officers
            thing: the southern border | the asylum system | our ports of entry | the visa program | the immigration court
            problem: the backlog of asylum cases | human smuggling | the flow of illegal drugs | the separation of families | the shutdown of the border
            act: secure the border | fix our broken immigration system | hire more immigration judges | reunite separated families | screen every truck at the border
            fact: crossed the desert on foot | slept on concrete floors in custody | patrolled the river at night | waited years for a hearing
            where: along the southern border | at our ports of entry | in crowded detention centers | in the Rio Grande valley
            aid: border technology | legal counsel | humane shelter | new scanners | visa processing
            """),
        new("energy and climate", """
            bill: the Clean Energy Jobs Act | the Grid Reliability Act | the Methane Reduction Act | the Solar for All Act
            who: solar workers | coal miners | utility customers | pipeline welders | climate scientists | wind workers
            thing: the electric grid | our clean energy economy | the wind industry | the Paris agreement | the power plant rule
            problem: carbon pollution | the rising price of electricity | the climate crisis | the loss of coal jobs | methane leaking from old wells
            act: cut carbon emissions | invest in wind and solar power | cap abandoned oil wells | store energy in batteries | keep the lights on
            fact: lost power in the heat wave | saw the sea rise at their doors | built turbines on the plains | paid record bills for electricity
            where: on the electric grid | in coal country | along the rising coast | near the power plants
            aid: battery storage | carbon capture | home weatherization | offshore wind | transmission lines
            """),
        new("veterans", """
            bill: the Veterans Burn Pit Act | the VA Reform Act | the Blue Water Navy Act | the Caregiver Support Act
            who: veterans | wounded warriors | military spouses | Gold Star families | combat medics | retired sergeants
            thing: the VA hospital | the GI bill | the disability claims office | the veterans crisis line | the promise to our troops
            problem: toxic exposure to burn pits | veteran suicide | the backlog of disability claims | homelessness among veterans | long waiting lists at the VA
            act: care for our veterans | shorten the wait for VA care | prevent veteran suicide | train service dogs for veterans | house every homeless veteran
            fact: served three tours overseas | came home with invisible wounds | breathed smoke from burn pits | wore the uniform with pride
            where: at the VA hospital | in Iraq | on military bases | in veterans homes
            aid: caregiver stipends | peer support | job training for veterans | prosthetic limbs | burial honors
            """),
        new("broadband and technology", """
            bill: the Rural Broadband Act | the Data Privacy Act | the Net Neutrality Act | the Robocall Enforcement Act
            who: internet users | app developers | rural subscribers | online shoppers | tech workers | remote students
            thing: the open internet | the broadband map | our wireless networks | the online marketplace | the encryption standard
            problem: the digital divide | the theft of personal data | illegal robocalls | foreign hacking | the power of big tech platforms
            act: bring broadband to every home | protect personal data online | stop illegal robocalls | defend net neutrality | secure our networks from hackers
            fact: did homework in parking lots for wireless service | lost money to online scams | agreed to terms they never read | waited for a slow dial-up connection
            where: on social media platforms | in towns without broadband | across the open internet | on their smart phones
            aid: fiber optic cable | cybersecurity training | spectrum auctions | computer science classes | tower construction
            """),
        new("opioids and public safety", """
            bill: the Opioid Recovery Act | the Stop Fentanyl Act | the Police Training Act | the Second Chance Act
            who: first responders | police officers | recovering addicts | the parents of addicts | drug court judges | paramedics
            thing: the drug court | our recovery programs | the local police department | the overdose hotline | the treatment system
            problem: the opioid epidemic | deadly fentanyl | overdose deaths | gun violence | addiction to painkillers
            act: treat addiction as a disease | stop the flow of fentanyl | train police to treat an overdose | jail drug dealers | give former inmates a second chance
            fact: buried a child after an overdose | answered the call at midnight | revived three people in one night | fought addiction for years
            where: in drug treatment centers | on the streets of small towns | in county jails | at the scene of an overdose
            aid: recovery housing | rescue kits | drug treatment beds | community policing | body cameras
            """),
        new("schools and student loans", """
            bill: the Student Loan Relief Act | the Safe Schools Act | the Early Learning Act | the College Promise Act
            who: teachers | student borrowers | school counselors | college graduates | preschool children | community college students
            thing: the public school | the Pell grant | our student loan program | the Head Start classroom | the school lunch program
            problem: crushing student debt | overcrowded classrooms | the teacher shortage | unpaid school lunch balances | the rising cost of college
            act: cut the interest on student loans | raise teacher pay | make college affordable | open more preschool classrooms | feed hungry students at school
            fact: bought classroom supplies with their own money | graduated with a mountain of debt | took a second job to pay tuition | learned to read before kindergarten
            where: in public school classrooms | on college campuses | in Head Start programs | at the school bus stop
            aid: Pell grants | after school tutoring | special education | teacher salaries | school nurses
            """),
        new("taxes and small business", """
            bill: the Main Street Relief Act | the Paycheck Fairness Act | the Simple Tax Act | the Minimum Wage Act
            who: small business owners | waiters | union carpenters | restaurant workers | middle class taxpayers | young entrepreneurs
            thing: the Tax Code | the minimum wage | our Main Street economy | the child tax credit | the small business loan program
            problem: the tax bill for the middle class | red tape on small business | the gender pay gap | low wages | the loss of jobs abroad
            act: raise the minimum wage | cut taxes for the middle class | lend to small businesses | close the corporate loopholes | guarantee equal pay for equal work
            fact: lived from paycheck to paycheck | opened a shop on Main Street | filled out tax forms all night | laid off half of their employees
            where: on Main Street | behind the counter | in family restaurants | at small businesses
            aid: start-up loans | paid family leave | apprenticeships | child tax credits | payroll relief
            """),
    ];
}
