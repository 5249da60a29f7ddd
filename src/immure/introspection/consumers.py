"""What each proxy makes of a status, and so what it is told when there is no verdict.

============ ==================== ============== ============================== =============
consumer     lets through         to the client  everything else                no verdict
============ ==================== ============== ============================== =============
``nginx``    2xx                  401, 403       becomes 500                    503 (→ 500)
``envoy``    200                  2xx, 3xx, 4xx  5xx and silence become 403     403
``traefik``  2xx                  all others                                    503
``caddy``    2xx                  all others                                    503
============ ==================== ============== ============================== =============

Envoy hears 403, which its client hears in any case: with ``failure_mode_allow`` it would let through what is
answered with 5xx.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Of one proxy.

    Attributes:
        unavailable: status that is answered when there is no verdict.
    """

    unavailable: int


CONSUMERS: Final = {
    "nginx": Behaviour(503),
    "envoy": Behaviour(403),
    "traefik": Behaviour(503),
    "caddy": Behaviour(503),
}
