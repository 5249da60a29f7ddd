"""What goes wrong with a ledger. A token whose row met one of these was not recorded, and must not leave."""

from __future__ import annotations

from immure.errors import ImmureError


class LedgerError(ImmureError):
    """The ledger cannot be read or written, or is not what its log says."""

    code = "ledger"


class LedgerBusyError(LedgerError):
    """More tokens wait to be written than may; nothing was written of this one."""

    code = "ledger-busy"


class SealingBusyError(LedgerError):
    """Somebody else closes batches at this moment, which is as good."""

    code = "ledger-sealing"


class LedgerRowError(LedgerError):
    """A row says something that the ledger does not take: too long, no time, no digest."""

    code = "ledger-row"


class WatermarkError(LedgerRowError):
    """The token says it was issued before the time up to which the ledger is closed.

    Below its watermark a ledger is complete: what is not there was never issued. So nothing is added there;
    sign again, with the time of now.
    """

    code = "ledger-watermark"
