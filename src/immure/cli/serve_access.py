"""``immure serve access``: the page of a room, and what proxies in front of web tools ask."""

from __future__ import annotations

import click

from immure.cli.access_options import KEY, LOG, QUIET, ROOM, opened
from immure.cli.exit_codes import ExitCode
from immure.cli.serve_alone import address_of, is_local, serve_alone, tls_of
from immure.cli.undumpable import keep_memory_out_of_dumps
from immure.errors import UsageError

_EPILOG = """
The page must be served from an origin that the room's policy names (relying_party.origins): hardware keys
sign for no other. Where a proxy on this machine ends TLS, --workstation-header names the field in which it
hands on the certificate of the workstation (RFC 9440, or nginx's $ssl_client_escaped_cert); the proxy must
take away what clients send under that name. Without it nobody goes in by this server; people can still ask
and approve.

\b
Paths:
  GET  /                     the page
  GET  /auth                 forward authentication: 204, 401 or 403 (?resource=room:NAME&action=enter)
  GET  /.room/enter          a session is handed over to a tool's host
  GET  /healthz

\b
Examples:
  immure serve access room --key file:log.key --listen 127.0.0.1:8480 --behind-proxy \\
      --workstation-header client-cert --tool room:debug=https://debug.prod.example
  immure serve access room --key file:log.key --listen 10.0.0.5:443 \\
      --certificate page.pem --certificate-key page.key

\b
Exit codes:
  0    stopped when asked to
  2    the command cannot be done as it was given; the address cannot be had
  3    the room cannot be read, written or believed
"""


@click.command(epilog=_EPILOG)
@ROOM
@KEY
@click.option("--listen", metavar="HOST:PORT", default="127.0.0.1:8480", show_default=True)
@click.option("--certificate", metavar="FILE", type=click.Path(), help="For TLS: certificates (PEM).")
@click.option("--certificate-key", metavar="FILE", type=click.Path(), help="For TLS: the private key (PEM).")
@click.option("--behind-proxy", is_flag=True, help="Others than this machine may connect without TLS.")
@click.option(
    "--workstation-header", metavar="NAME", help="The field with the certificate of the workstation."
)
@click.option(
    "--tool", "tool_lines", metavar="ROOM=ORIGIN", multiple=True, help="A web tool on a host of its own."
)
@LOG
@QUIET
def access(
    room: str, uri: str, listen: str, certificate: str | None, certificate_key: str | None,
    behind_proxy: bool, workstation_header: str | None, tool_lines: tuple[str, ...], log_path: str | None,
    quiet: bool,
) -> int:  # fmt: skip
    """Serve the page of a room: people ask, approve, break the glass and review, each with a hardware key.

    Looking takes a session; whatever is done takes the key again, and shows in words what it signs.
    """
    from immure.access.web.app import AccessApp
    from immure.access.web.tools import parse_tools
    from immure.introspection.certificate import certificate_of

    host, port = address_of(listen)
    tls = tls_of(certificate, certificate_key)
    name = workstation_header
    named = None if name is None else (name.lower().encode("ascii", "replace"), certificate_of)
    if not (tls or behind_proxy or is_local(host)):
        raise UsageError("others could read what is sent: give --certificate, or say --behind-proxy")
    keep_memory_out_of_dumps()
    with opened(room, log_path, uri) as door:
        origins = door.policy.party.origins
        tools = parse_tools(tool_lines, origins)
        if not quiet:
            click.echo(f"the page of {room}, on {host}:{port}, for {', '.join(origins)}")
        serve_alone(
            lambda journal: AccessApp(door, tools=tools, header=named, told=journal.write),
            host,
            port,
            tls,
            most=256,
        )
    return ExitCode.CLEAN
