"""What is done at each link; :mod:`immure.replay.playing` has the order."""
