"""The console: the page where people look at dumps, keys, tokens, incidents, access and logs.

It has no logic of its own: :mod:`.sources` call what the other rooms have, and shape what comes back; pages
render that on the server. There is one script and one style sheet, both our own; every page works without
the script. Nothing comes from elsewhere, and nothing is inline (Content Security Policy, Level 3).

Looking takes a session (:mod:`.sign_in`) and a role in a tenant (:mod:`.roles`); a person without a role
there is told that the tenant does not exist.
"""
