"""Builds images with planted keys, to test the parsers and the scanner against; shares no code with either.

Every builder is written from the format's specification alone, so that a misreading in a parser is not
repeated here. The same arguments always give the same bytes.

>>> from immure.synth import Segment, build_elf_core, encode, plant
>>> memory = bytearray(8192)
>>> plant(memory, 4096, encode(2**255 + 95, "le64", 256))
>>> built = build_elf_core([Segment(0x7F0000000000, bytes(memory))])
>>> built.data[built.offset_of(0x7F0000001000)]
95
"""

from __future__ import annotations

from immure.synth.elf import CoreThread, Lies, Segment, build_elf_core
from immure.synth.hprof import build_hprof
from immure.synth.memory import Built, ordinary_memory, plant
from immure.synth.minidump import Module, build_minidump
from immure.synth.numbers import LAYOUTS, encode
from immure.synth.physical import Range, build_avml, build_lime

__all__ = [
    "LAYOUTS",
    "Built",
    "CoreThread",
    "Lies",
    "Module",
    "Range",
    "Segment",
    "build_avml",
    "build_elf_core",
    "build_hprof",
    "build_lime",
    "build_minidump",
    "encode",
    "ordinary_memory",
    "plant",
]
