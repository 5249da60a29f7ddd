"""Builds the native kernels; everything else about the package stands in pyproject.toml."""

from setuptools import setup

setup(
    cffi_modules=[
        "src/immure/scanning/kernels/build_words.py:ffi",
        "src/immure/scanning/kernels/build_ec.py:ffi",
        "src/immure/redact/prove/kernels/build_probe.py:ffi",
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
