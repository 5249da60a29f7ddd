"""The console, with somebody signed in already: whom a benchmark is cannot be asked for a hardware key.

python console_server.py PORT SETTINGS.toml COOKIE_FILE

The value of the cookie goes to the file; all else is what ``immure serve console`` runs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from immure.cli.serve_alone import serve_alone
from immure.console import app
from immure.console.sessions import Sessions
from immure.console.settings import Settings


def main(port: str, path: str, cookie: str) -> None:
    class Known(Sessions):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            Path(cookie).write_text(self.begin("bench", "benchmark"))

    app.Sessions = Known  # type: ignore[misc]
    settings = Settings.read(path)
    serve_alone(
        lambda journal: app.create_app(settings, told=journal.write), "127.0.0.1", int(port), {}, most=1024
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
