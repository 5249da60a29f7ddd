"""nginx with a configuration of its own, in the foreground, all its files in one directory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from servers.program import Program, directory, found

#: Around the server of a test: nothing outside of the directory, one worker, no privileges.
_FRAME = """\
daemon off;
worker_processes 1;
pid {base}/pid;
error_log stderr {level};
{user}
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {base}/body;
    proxy_temp_path {base}/proxy;
    fastcgi_temp_path {base}/fastcgi;
    uwsgi_temp_path {base}/uwsgi;
    scgi_temp_path {base}/scgi;
{server}
}}
"""


@contextmanager
def running(server: str, port: int) -> Iterator[Program]:
    """nginx with these contents of ``http``, which listen on ``port``."""
    program = found("nginx", "Debian: nginx")
    with directory(readable=True) as base:
        user = "user root;" if os.geteuid() == 0 else ""
        configuration = base / "nginx.conf"
        text = _FRAME.format(base=base, server=server, user=user, level="error")
        configuration.write_text(text, encoding="utf-8")
        arguments = [program, "-e", "stderr", "-p", str(base), "-c", str(configuration)]
        with Program(arguments, log=base / "log") as nginx:
            nginx.wait_for(port)
            yield nginx
