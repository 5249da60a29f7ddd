"""Feeds broken images to immure.dumps.minidump."""

from __future__ import annotations

from checks import check_images
from driver import run
from seeds import images

if __name__ == "__main__":
    run(check_images, images("minidump"))
