"""The same mailbox behind Immure, with the same one set of keys.

    python examples/relying_parties/on_immure.py KIT [PORT]

The policy says which issuer is trusted, for audiences of which class, of which tenant and cloud; the keys of
the set say for whom they may sign. The validator asks for all of it.
"""

from __future__ import annotations

from typing import Any

from serve import Kit, main

from immure.tokens.errors import TokenError
from immure.tokens.policy_file import read_policy
from immure.tokens.validator import Validator


def checker(kit: Kit) -> Any:
    """A function that returns the claims of a token, or raises."""
    validator = Validator(read_policy(kit.policy))
    return lambda token: validator.validate(token, audience=kit.audience)


if __name__ == "__main__":
    main(checker, TokenError)
