"""What a report could prove afterwards: read out of the logs that there are, and of nothing else."""

from __future__ import annotations

import time
from typing import Final

from immure.replay.world import World
from immure.scanning.report.words import count_words

#: Seconds for the ledger's watermark, which follows the clock by five.
_PATIENCE: Final = 60.0


def act(world: World) -> None:
    """Look into what is left, and write each thing that it proves in a sentence."""
    tale = world.tale
    proofs = tale.proofs
    if world.redaction is not None:
        strings = world.redaction["proof"]["scan"]["strings"]
        words = (
            f"{strings} writings of its numbers were searched for" if strings else "the dump had none of it"
        )
        proofs.append(f"the redacted copy holds no piece of the key: {words}")
    if world.gatehouse is not None:
        count = count_words(world.gatehouse.entries(), "decision")
        proofs.append(f"{count} of the gate, in a log that verifies")
    _of_acceptances(world)
    _of_other_rules(world)
    _of_mail(world)
    if not proofs:
        proofs.append("nothing: no log of that time says what was read, or by whose token")


def _of_acceptances(world: World) -> None:
    reconciliation = world.reconciliation
    if reconciliation is None:
        return
    end = time.monotonic() + _PATIENCE
    reconciliation.look()
    while reconciliation.waiting and time.monotonic() < end:  # for the watermark to pass what was accepted
        time.sleep(0.25)
        reconciliation.look()
    forged = reconciliation.forged.values()
    if not forged:
        words = "accepted tokens were issued, and as far as the watermark goes none was forged"
        world.tale.proofs.append(f"{reconciliation.issued} {words}")
        return
    mailboxes = {row.subject for row in forged}
    keys = sorted({row.thumbprint or str(row.kid) for row in forged})
    world.tale.proofs.append(
        f"{len(forged)} accepted tokens were never issued (by digest), for {len(mailboxes)} mailboxes, "
        f"signed by the key {', '.join(keys)}"
    )


def _of_other_rules(world: World) -> None:
    if world.reconciliation is not None and world.reconciliation.also:
        rules = ", ".join(f"{rule} ({count})" for rule, count in world.reconciliation.also.items())
        world.tale.proofs.append(f"rules of immure detect say of accepted tokens: {rules}")


def _of_mail(world: World) -> None:
    if world.rule is None or world.mail is None:
        return
    world.rule.look()
    if not world.rule.strange:
        world.tale.proofs.append(f"{len(world.mail.accesses())} accesses to mail, none of them by a stranger")
        return
    mailboxes = {one.mailbox for one in world.rule.strange}
    messages = {(one.mailbox, one.message) for one in world.rule.strange}
    tokens = {one.digest for one in world.rule.strange}
    words = f"which {len(messages)} messages of {len(mailboxes)} mailboxes were opened"
    world.tale.proofs.append(f"{words}, by which {len(tokens)} tokens")
