"""What goes wrong with a ledger. A token whose row met one of these was not recorded, and must not leave."""

from __future__ import annotations

from immure.errors import ImmureError


class LedgerError(ImmureError):
    """The ledger cannot be read or written, or is not what its log says."""

    code = "ledger"


class LedgerBusyError(LedgerError):
    """More tokens wait to be written than may; nothing was written of this one."""

    code = "ledger-busy"


class TooManyError(LedgerError):
    """There are as many issuers as may be; a row of another one is not taken."""


class LedgerBehindError(LedgerError):
    """The log, or a witness, has more than the ledger: an older copy was put in its place.

    What was issued since the copy is not there any more and would look forged, so that nothing may be issued
    until the newest copy is back, or the gap is declared (:mod:`immure.ledger.gap`).
    """

    code = "ledger-behind"


class SealingBusyError(LedgerError):
    """Somebody else closes batches at this moment, which is as good."""

    code = "ledger-sealing"


class ClockDoubtError(LedgerError):
    """The clock may be wrong. A watermark ahead of time cannot be taken back; so no batch is closed by it."""

    code = "ledger-clock"


class LedgerRowError(LedgerError):
    """A row says something that the ledger does not take: too long, no time, no digest."""

    code = "ledger-row"


class WatermarkError(LedgerRowError):
    """The token says it was issued before the time up to which the ledger is closed.

    Below its watermark a ledger is complete: what is not there was never issued. So nothing is added there;
    sign again, with the time of now.

    Attributes:
        late: seconds from its ``iat`` to the watermark.
    """

    code = "ledger-watermark"

    def __init__(self, late: int, *, path: str | None = None) -> None:
        super().__init__(
            f"the token says it is from {late} s before the watermark: it took too long to get here, or the "
            "clock of this machine is behind that of the one which closes batches",
            path=path,
        )
        self.late = late
