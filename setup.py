"""Builds the kernels and the key holder's native part; the rest of the package stands in pyproject.toml."""

from setuptools import setup

setup(
    cffi_modules=[
        "src/immure/scanning/kernels/build_words.py:ffi",
        "src/immure/scanning/kernels/build_ec.py:ffi",
        "src/immure/scanning/kernels/build_sketch.py:ffi",
        "src/immure/redact/prove/kernels/build_probe.py:ffi",
        "src/immure/custody/keyholder/build_native.py:ffi",
        "src/immure/detections/sources/m365/build_mailbox.py:ffi",
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
