"""``python -m immure`` is ``immure``."""

from immure.cli.main import main

if __name__ == "__main__":
    main()
