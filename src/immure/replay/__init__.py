"""The incident, acted out on one machine against the real parts.

    scenario = read_scenario("storm-0558")
    with Stage(scenario, Options()) as stage:
        outcome = play(stage, controls=frozenset())     # as in 2023
    outcome.mailboxes                                   # 25

scenario    a theft of a key as data: its links, its organizations (scenarios/*.toml)
controls    what may break a link
options     how to replay, and which real parts there are for it here
stage       what several worlds share: issuers, crashes, copies of dumps
playing     one replay: the acts in their order; world is what they work on
acts        what is done in each of them
networks    of the two rooms, each without a way out, where the kernel lets us
thief       what an attacker does who has a dump and public documents, and nothing else
mail        the mail system: Dovecot, or a mailbox over HTTP where there is none
soft_token  a PKCS#11 token in a process of its own, in place of hardware
front_door  of the rooms that hold production data; hardware_key stands in for what people carry
responding  an incident, contained, proved, and told to everybody; post_office takes the letters
reconciling accepted tokens against issued ones, by the detection; noticing is who looks, and when
matrix      every single control, and all but one of them
report      terminal, JSON, one HTML page
"""
