"""The incident, acted out on one machine against the real parts.

    scenario = read_scenario("storm-0558")
    with Stage(scenario, Options()) as stage:
        outcome = play(stage, controls=frozenset())     # as in 2023
    outcome.mailboxes                                   # 25

scenario    a theft of a key as data: its links, its organizations (scenarios/*.toml)
controls    what may break a link, and who has not been built yet
stage       what several worlds share: issuers, crashes, copies of dumps
playing     one replay: the acts in their order; world is what they work on
acts        what is done in each of them
thief       what an attacker does who has a dump and public documents, and nothing else
mail        the mail system: Dovecot, or a mailbox over HTTP where there is none
matrix      every single control, and all but one of them
report      terminal, JSON, one HTML page
"""
