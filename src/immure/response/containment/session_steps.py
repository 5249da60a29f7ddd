"""Sessions, codes and refresh tokens of the issuer are over at the signing service."""

from __future__ import annotations

from collections.abc import Sequence

from immure.response.containment.action import Action
from immure.response.containment.errors import ContainmentError
from immure.response.timeline import JsonValue
from immure.signing.state import State


class Sessions(Action):
    """See the module. Access tokens that came of them are not active any more at the service's own
    introspection; elsewhere they fall under the deny-list."""

    name = "sessions"
    words = "sessions and refresh tokens are revoked"

    def targets(self) -> Sequence[str]:
        """The issuer, if it is our service's."""
        return [self.scene.issuer] if self.scene.signing_name is not None else []

    def plan(self, target: str) -> str:
        """See :meth:`Action.plan`."""
        state, name = self._state()
        try:
            return f"revoke all sign-ins ({len(state.subjects(name))} subjects)"
        finally:
            state.close()

    def act(self, target: str) -> JsonValue:
        """See :meth:`Action.act`."""
        state, name = self._state()
        try:
            return {"sign_ins": state.revoke_issuer(name)}
        finally:
            state.close()

    def _state(self) -> tuple[State, str]:
        from immure.signing.state_opening import open_state

        signing, name = self.scene.settings.signing, self.scene.signing_name
        if signing is None or name is None:
            raise ContainmentError("the signing service has no such issuer")
        return open_state(signing.state), name
