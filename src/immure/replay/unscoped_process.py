"""The introspection server with the library of 2022: it does not ask what a key may sign for.

    python -m immure.replay.unscoped_process CONFIG

It is ours in all else: signature, issuer, audience, times and type are checked. Only the check that the
incident lacked is taken out of the policy. If there is a shared secret beside the settings, tokens that are
signed with that are accepted, too (:mod:`.shared_secret`).
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from immure.introspection.settings import Settings
from immure.replay.relying import SHARED
from immure.replay.shared_secret import SharedSecretApp
from immure.tokens.check import AllOf
from immure.tokens.checks import STANDARD
from immure.tokens.key_checks import KeyMaySignForClass, KeyMaySignForIssuer

_WORKER: Final = "immure.replay.unscoped_process:worker"


def without_scope(settings: Settings) -> Settings:
    """The same settings with a policy that lets any key of a source sign for any issuer that has it."""
    others = [
        part for part in STANDARD.parts if not isinstance(part, KeyMaySignForIssuer | KeyMaySignForClass)
    ]
    return replace(settings, policy=replace(settings.policy, check=AllOf(*others)))


def worker() -> Any:
    """The application in a worker process."""
    from immure.introspection.app import application
    from immure.introspection.settings_file import read_settings
    from immure.introspection.worker import CONFIG

    settings = without_scope(read_settings(os.environ[CONFIG]))
    made = application(settings)
    shared = Path(os.environ[CONFIG]).with_name(SHARED)
    return SharedSecretApp(made, shared.read_bytes()) if shared.exists() else made


def main(config: str) -> None:
    """Serve until stopped."""
    from immure.introspection.serve import serve
    from immure.introspection.settings_file import read_settings

    serve(without_scope(read_settings(config)), config, {}, _WORKER)


if __name__ == "__main__":
    main(sys.argv[1])
