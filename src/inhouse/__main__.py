"""``python -m inhouse``."""

from inhouse.cli import main

if __name__ == "__main__":
    main(prog_name="inhouse")
