"""The same scan over more images than one machine holds: on processes here, or on a Dask cluster.

The readable heart is :mod:`immure.fleet.dispatch` (who does what, once) and :mod:`immure.fleet.jobs` (how a
large image is cut, searched in parts and put together again).
"""
