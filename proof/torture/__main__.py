"""What a test suite cannot try in its minute, one part after another. docs/reliability.md has the results.

python -m proof.torture {concurrency,crashes,commits,requests} [--help]
"""

from __future__ import annotations

import sys

from proof.torture import commits, concurrency, crashes, requests

PARTS = {"concurrency": concurrency.main, "crashes": crashes.main, "commits": commits.main, "requests": requests.main}


def main(arguments: list[str]) -> int:
    """Run the part that is named first with the other arguments. Return the exit code of the process."""
    if not arguments or arguments[0] not in PARTS:
        print(f"usage: python -m proof.torture {{{','.join(PARTS)}}} [--help]", file=sys.stderr)
        return 2
    return PARTS[arguments[0]](arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
