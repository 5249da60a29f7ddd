"""What searches for damaged keys share while they try what they gathered."""

from __future__ import annotations

from dataclasses import dataclass, field

from immure.dumps.dump import Reader
from immure.keymaterial.key import Numbers
from immure.scanning.deep.budget import Budget


@dataclass
class Work:
    """The budget, the image, and the keys that are done: nobody needs to try them again."""

    budget: Budget
    reader: Reader
    done: set[Numbers] = field(default_factory=set)
