"""The door of the room where production data is: who may enter, with what in hand, for how long.

    door = Door.create("room", policy=text, signer=signer)   # a NoteSigner names and signs the log
    door = Door.open("room", signer=signer)                  # without a signer: to look through only

People act by ceremonies. Each begins with a verb that gives a :class:`Ceremony`. Its ``words`` are shown, its
``options`` go to a hardware key (``navigator.credentials`` in a browser, or CTAP), and it ends with the
response, in JSON::

    ceremony = door.request_grant("prd-ada", resource="dump:9f86d081", actions=["release"],
                                  purpose="crash of the mailer", ticket="INC-12", hours=2)
    done = door.complete(response)                                      # Done(act="request", id="k3…", …)
    ceremony = door.begin_approval("prd-grace", done.id)                # two others, each with their own key
    door.complete(response).state                                       # "open", and then "done"

Gates and adapters ask, and say what they let happen::

    grant = door.live_grant("dump:9f86d081", "release", account="prd-ada")   # or NoGrantError
    door.use(grant.id, "release", {"to": "sftp://…"})                   # is logged, before it happens
    session, grant = door.session(secret, workstation=sha256_of_the_client_certificate)
    door.record_certificate(grant.id, "enter", kind="ssh", serial="17", ends=rfc3339)
    door.revoked_certificates("ssh")                                    # for a KRL

The verbs, by what they are for:

* founding: ``name_founder``, ``begin_registration``, ``begin_founding``
* asking: ``request_grant``, ``request_enrolment``, ``request_workstation``, ``request_policy``,
  ``begin_request`` (also ``key``, ``screening``, ``reinstate``), ``begin_registration``
* answering: ``begin_approval``, ``begin_denial``
* grants: ``begin_session``, ``begin_revocation``, ``begin_closing``, ``begin_break_glass``, ``begin_review``
* people and keys: ``begin_suspension``, ``begin_leaving``, ``begin_lost_key``
* every ceremony: ``complete``; ``ceremony`` finds the one that a response belongs to
* pages: ``begin_sign_in``, ``signed_in`` (to look), ``session`` (on a grant)
* gates: ``live_grant``, ``session``, ``use``, ``rights_end``, ``record_certificate``,
  ``revoked_certificates``, ``end_session``
* looking: ``records(Grant)``, ``record(Person, "prd-ada")``, ``person_fault``, ``grant_fault``, ``policy``
* upkeep: ``import_metadata``, ``verify``, ``close``; :func:`.restoring.restore_room`

Every event is an entry of a tamper-evident log (:mod:`immure.auditlog`), with the document that was signed
and the assertion that signs it. The database only says what follows from the log; :meth:`Door.verify` makes
it anew, and verifies every assertion again. Registering keys needs ``pip install 'immure[access]'``.

This room decides and remembers. It keeps nobody out by itself: that is done by who asks it (SSH certificates,
the gate of releases, a web server). Where nothing asks, it is a register, and no more.
"""

from __future__ import annotations

from immure.access.alarms import Alarm, Sounder
from immure.access.ceremonies import Ceremony
from immure.access.completing import Done
from immure.access.door import Door
from immure.access.errors import (
    AccessError,
    CeremonyError,
    ClockError,
    DeniedError,
    MetadataError,
    NoGrantError,
    StaleError,
)
from immure.access.policy import Policy
from immure.access.policy_file import parse_policy
from immure.access.records import (
    Approval,
    Certificate,
    Grant,
    HardwareKey,
    Person,
    Request,
    Session,
    Workstation,
)
from immure.access.room import FOUNDING

__all__ = [
    "FOUNDING",
    "AccessError",
    "Alarm",
    "Approval",
    "Ceremony",
    "CeremonyError",
    "Certificate",
    "ClockError",
    "DeniedError",
    "Done",
    "Door",
    "Grant",
    "HardwareKey",
    "MetadataError",
    "NoGrantError",
    "Person",
    "Policy",
    "Request",
    "Session",
    "Sounder",
    "StaleError",
    "Workstation",
    "parse_policy",
]
