"""A letter as a message: text and page, and the list beside them (RFC 5322, RFC 2045 and following).

The bytes follow from the letter, the recipient and the moment of the first attempt, so that a second attempt
sends the same ones.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage, MIMEPart
from email.utils import format_datetime

from immure.response.notification.letter_set import Delivery, LetterSet

#: CRLF, and nothing but ASCII, so that no server has to change anything.
_POLICY = policy.SMTP.clone(cte_type="7bit", raise_on_defect=True)
#: Where nothing has to be encoded, headers stay in one line: Python would fold some right behind their names.
_UNFOLDED = _POLICY.clone(max_line_length=998)


def message(letters: LetterSet, delivery: Delivery, begun: int) -> bytes:
    """The message that a delivery sends.

    Args:
        letters: the set that it is of.
        delivery: whom it is for.
        begun: seconds since 1970, when it was tried for the first time.

    Raises:
        LettersError: a file of the letter is gone, or was changed.
    """
    made = EmailMessage(_POLICY)
    local, _, domain = letters.sender_address.rpartition("@")
    made["From"] = Address(letters.sender_name, local, domain)
    local, _, domain = delivery.to.rpartition("@")
    made["To"] = Address("", local, domain)
    made["Subject"] = delivery.subject
    made["Date"] = format_datetime(datetime.fromtimestamp(begun, UTC))
    made["Message-ID"] = delivery.message_id
    if delivery.answers:
        made["In-Reply-To"] = delivery.answers
        made["References"] = delivery.answers
    made["Content-Language"] = delivery.language
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(letters.read(delivery, "txt").decode())
    made.add_alternative(letters.read(delivery, "html").decode(), subtype="html")
    made.add_attachment(
        letters.read(delivery, "json"), maintype="application", subtype="json", filename="statement.json"
    )
    for number, part in enumerate(made.walk()):
        if part.is_multipart() and isinstance(part, MIMEPart):
            part.set_boundary(f"=_{delivery.id}_{number}")
    plain = delivery.subject.isascii() and letters.sender_name.isascii()
    return made.as_bytes(policy=_UNFOLDED if plain else _POLICY)
