"""The questions that a relying party is asked; each module has those of one group."""

from __future__ import annotations

from typing import Final

from immure.probe.case import Case
from immure.probe.catalogue.algorithm import CASES as ALGORITHM
from immure.probe.catalogue.audience import CASES as AUDIENCE
from immure.probe.catalogue.bound import CASES as BOUND
from immure.probe.catalogue.claim import CASES as CLAIM
from immure.probe.catalogue.form import CASES as FORM
from immure.probe.catalogue.header import CASES as HEADER
from immure.probe.catalogue.injected import CASES as INJECTED
from immure.probe.catalogue.issuer import CASES as ISSUER
from immure.probe.catalogue.json_tricks import CASES as JSON_TRICKS
from immure.probe.catalogue.jwe import CASES as JWE
from immure.probe.catalogue.kid import CASES as KID
from immure.probe.catalogue.scope import CASES as SCOPE
from immure.probe.catalogue.signature import CASES as SIGNATURE
from immure.probe.catalogue.size import CASES as SIZE
from immure.probe.catalogue.symmetric import CASES as SYMMETRIC
from immure.probe.catalogue.typ import CASES as TYP

#: All of them, in the order in which they are asked: those that may stop a server come last.
CATALOGUE: Final[tuple[Case, ...]] = (
    *SCOPE,
    *ISSUER,
    *AUDIENCE,
    *ALGORITHM,
    *SYMMETRIC,
    *INJECTED,
    *KID,
    *HEADER,
    *FORM,
    *JSON_TRICKS,
    *SIGNATURE,
    *CLAIM,
    *TYP,
    *BOUND,
    *JWE,
    *SIZE,
)
