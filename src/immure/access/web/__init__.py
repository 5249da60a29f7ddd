"""The room's page: people ask, approve, break the glass and review in a browser, each with a hardware key.

:class:`.app.AccessApp` is an ASGI application. It renders everything itself; one small script of its own
hands what is to be signed to ``navigator.credentials``, and the response back in a form. Nothing comes from
elsewhere, and nothing is inline (Content Security Policy, Level 3).

Looking takes a session (:meth:`~immure.access.Door.begin_sign_in`). Whatever is done there takes the hardware
key again, so a session that is stolen shows what there is and does nothing.
"""
