"""The native half of the prover, and its plain twin (``reference``); nothing of :mod:`immure.scanning`."""
