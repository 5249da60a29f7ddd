"""Settings of Hypothesis for every room."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Rooms run beside each other and crash programs meanwhile: how long an example takes says nothing here.
# What Hypothesis itself sets where the environment says CI stays.
settings.register_profile(
    "immure", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("immure")
