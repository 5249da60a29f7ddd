"""Settings of Hypothesis for every room."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Rooms run beside each other and crash programs meanwhile: how long an example takes says nothing here.
# What Hypothesis itself sets where the environment says CI stays.
_CALM = settings(settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("immure", _CALM, max_examples=50)
settings.register_profile("thorough", _CALM, max_examples=1000)  # --hypothesis-profile=thorough
settings.load_profile("immure")
