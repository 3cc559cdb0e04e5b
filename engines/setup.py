"""Set up real inference engines for the tests, in a cache outside the repository.

llama.cpp's server is compiled and vLLM for CPUs is installed, each with two tiny models that are
made here: no weights are downloaded. What is complete already is left alone.
"""

import argparse
import json
import signal
import sys

import cache
from commands import StepError
from plan import NAMES, Plan, set_up

EXAMPLES = f"""examples:
  make engines                            both engines, the first time in 5 to 15 minutes
  python engines/setup.py --only llama    one of them
  python engines/setup.py --check --json  what is there, and how to start it

environment:
  {cache.VARIABLE}   the cache folder (default: inhouse/engines in the user's cache)
"""


def main() -> int:
    """Set up or check what the command line asks for; return the exit status."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    plan = Plan.of(cache.root())
    wanted: list[str] = [arguments.only] if arguments.only else list(NAMES)
    if not arguments.check and not all(plan.engines()[name].ready for name in wanted):
        try:
            set_up(plan, wanted)
        except (StepError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
        except KeyboardInterrupt:
            print("Stopped. Nothing half done was kept; run this again to go on.", file=sys.stderr)
    engines = {name: engine for name, engine in plan.engines().items() if name in wanted}
    if arguments.json:
        print(json.dumps({name: vars(engine) for name, engine in engines.items()}, indent=2))
    else:
        print("\n".join(engine.line() for engine in engines.values()))
    return 0 if all(engine.ready for engine in engines.values()) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="engines/setup.py",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", choices=NAMES, help="just this engine")
    parser.add_argument("--check", action="store_true", help="only tell what is there")
    parser.add_argument("--json", action="store_true", help="tell it as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
