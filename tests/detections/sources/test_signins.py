"""Sign-ins of Entra ID, AD FS, Okta and Google Workspace: one row each, in whatever shape."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detections.sources.reading_all import read_bytes
from immure.detections.sources.decoding import UndecodableError
from immure.detections.sources.xml_leaves import leaves
from immure.synth.logs import signins
from immure.synth.logs.signins import SignIn

ONE = SignIn(
    time=1_714_525_200,
    record=UUID(int=0x1234 << 100 | 77),
    tenant=UUID(int=0x7777 << 96 | 1),
    token=UUID("45678323-89ab-cdef-ab12-233456789abc"),
    session=UUID(int=0x99 << 90),
    user="ada@x.example",
    ip="2001:db8::15",
    app="5d661950-3475-41cd-a2c3-d671a3162bc1",
    resource="00000002-0000-0ff1-ce00-000000000000",
)
FAILED = replace(ONE, record=UUID(int=5 << 100), error=50126)


def lines(*rows: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def portal(*found: SignIn) -> bytes:
    out = io.StringIO()
    rows = [signins.portal_row(one) for one in found]
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def page(*found: SignIn) -> bytes:
    return json.dumps({"@odata.context": "c", "value": [signins.graph(one) for one in found]}).encode()


ENTRA: dict[str, Callable[..., bytes]] = {
    "graph": page,
    "graph lines": lambda *found: lines(*map(signins.graph, found)),
    "sentinel": lambda *found: lines(*map(signins.sentinel, found)),
    "diagnostic settings": lambda *found: lines(*map(signins.diagnostic, found)),
    "event hub": lambda *found: lines({"records": [signins.diagnostic(one) for one in found]}),
    "portal": portal,
}


@pytest.mark.parametrize("shape", ENTRA)
def test_entra(shape: str, tmp_path: Path) -> None:
    read = read_bytes(tmp_path, ENTRA[shape](ONE, FAILED))
    assert (read.source, read.not_understood) == ("entra-signin", [])
    first, second = read.rows("signin")
    assert first["record_id"] == str(ONE.record)
    assert first["time"].timestamp() == ONE.time
    assert (first["user"], first["ip"], first["session"]) == (ONE.user, ONE.ip, str(ONE.session))
    assert (first["app"], first["resource"], first["tenant"]) == (ONE.app, ONE.resource, str(ONE.tenant))
    assert (first["token_id"], first["token_type"]) == (str(ONE.token), None)
    assert (first["succeeded"], first["error"]) == (True, None)
    assert (second["succeeded"], second["error"]) == (False, "50126")


def test_other_categories_of_entra_are_passed_over(tmp_path: Path) -> None:
    other = {
        "time": "2024-05-01T00:00:00Z",
        "category": "AuditLogs",
        "properties": {"activityDisplayName": "x"},
    }
    read = read_bytes(tmp_path, lines(signins.diagnostic(ONE), other))
    assert read.passed == {"AuditLogs": 1}
    assert len(read.rows("signin")) == 1


ADFS: dict[str, Callable[[SignIn], bytes]] = {
    "xml": lambda one: f"<?xml version='1.0'?><Events>{signins.windows_xml(one)}</Events>".encode(),
    "xml of UTF-16": lambda one: signins.windows_xml(one).encode("utf-16"),
    "winlogbeat": lambda one: lines(signins.winlogbeat(one)),
    "powershell": lambda one: json.dumps(
        [
            {
                "Id": 1200,
                "RecordId": one.record.int % 10**9,
                "MachineName": "sts.example",
                "ProviderName": "AD FS Auditing",
                "TimeCreated": f"/Date({one.time}000)/",
                "Message": f"The Federation Service issued a token.\r\nXML: {signins.audit_document(one)}",
            }
        ]
    ).encode(),
}


@pytest.mark.parametrize("shape", ADFS)
def test_adfs(shape: str, tmp_path: Path) -> None:
    read = read_bytes(tmp_path, ADFS[shape](ONE))
    assert (read.source, read.not_understood) == ("adfs-audit", [])
    [row] = read.rows("signin")
    assert row["record_id"] == f"sts.example/{ONE.record.int % 10**9}"
    assert (row["event"], row["flow"], row["succeeded"]) == ("token-issued", "1200", True)
    assert (row["user"], row["app"], row["resource"], row["ip"]) == (ONE.user, ONE.app, ONE.resource, ONE.ip)
    assert row["time"].timestamp() == ONE.time


def test_events_of_adfs_that_are_others(tmp_path: Path) -> None:
    rows = [signins.winlogbeat(ONE, event) for event in (1200, 1203, 411, 4711)]
    read = read_bytes(tmp_path, lines(*rows))
    assert [row["succeeded"] for row in read.rows("signin")] == [True, False]
    assert read.passed == {"411": 1}
    assert read.reasons == {("operation", "4711"): 1}


def test_an_event_with_entities_is_read_without_its_document(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY x "yyyyyyyy"><!ENTITY z "&x;&x;&x;&x;">]>'
    plain = signins.winlogbeat(ONE)
    document = signins.audit_document(ONE).replace("<AuditType>", f"{bomb}<AuditType>&z;")
    plain["winlog"]["event_data"]["param2"] = document
    read = read_bytes(tmp_path, lines(plain))
    assert read.reasons == {("value", "AuditBase"): 1}
    [row] = read.rows("signin")
    assert row["user"] is None
    whole = f"<?xml version='1.0'?>{bomb}<Events>{signins.windows_xml(ONE)}</Events>".encode()
    assert len(read_bytes(tmp_path, whole).rows("signin")) == 1  # of a file only the events are parsed


@given(st.text(max_size=200))
def test_no_xml_raises_anything_else(text: str) -> None:
    for document in (text, f"<a>{text}</a>", "<a>" * 100 + text):
        try:
            leaves(document)
        except UndecodableError:
            continue


def test_okta(tmp_path: Path) -> None:
    grant = signins.okta(replace(ONE, record=UUID(int=9)), "app.oauth2.as.token.grant.access_token")
    other, new = signins.okta(ONE, "user.lifecycle.create"), signins.okta(ONE, "teleport.beam.up")
    found = [signins.okta(ONE), signins.okta(FAILED, "user.authentication.sso"), grant, other, new]
    read = read_bytes(tmp_path, json.dumps(found, indent=2).encode())
    assert read.source == "okta-system-log"
    first, second, third = read.rows("signin")
    assert (first["user"], first["ip"], first["app"], first["succeeded"]) == (ONE.user, ONE.ip, ONE.app, True)
    assert first["session"] == str(ONE.session)
    assert (second["succeeded"], second["error"]) == (False, "INVALID")
    assert (third["event"], third["user"], third["app"]) == ("token-issued", ONE.user, ONE.app)
    assert third["token_id"] == f"AT.{ONE.token.hex}"
    assert read.passed == {"user.lifecycle.create": 1}
    assert read.reasons == {("operation", "teleport.beam.up"): 1}


def test_google(tmp_path: Path) -> None:
    several = signins.google(ONE)
    several["events"] *= 2
    found = [
        signins.google(ONE),
        signins.google(FAILED, event="login_failure"),
        several,
        signins.google(ONE, "token", "authorize"),
        signins.google(ONE, "token", "activity"),
        signins.google(ONE, "drive", "view"),
        signins.google(ONE, "teleport", "beam"),
    ]
    read = read_bytes(tmp_path, json.dumps({"kind": "admin#reports#activities", "items": found}).encode())
    assert read.source == "google-workspace"
    rows = read.rows("signin")
    assert [row["event"] for row in rows] == ["sign-in"] * 4 + ["grant"]
    assert [row["succeeded"] for row in rows] == [True, False, True, True, None]
    assert len({row["record_id"] for row in rows[2:4]}) == 2
    [used] = read.rows("acceptance")
    assert (used["client"], used["aud"], used["sub"], used["digest"]) == (ONE.app, ["gmail"], ONE.user, None)
    assert read.passed == {"drive: view": 1}
    assert read.reasons == {("operation", "teleport: beam"): 1}
