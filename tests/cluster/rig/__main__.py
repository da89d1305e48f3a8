"""`python -m rig up | down | status | reset`: what `make cluster` and its kin call."""

import subprocess
import sys

from rig.cluster import down, is_up, reset, up
from rig.daemons import NotUp, running
from rig.places import Places, find_places


def main(words: list[str]) -> int:
    """Do it; 1 with one sentence where it cannot be done."""
    places = find_places()
    try:
        match words:
            case ["up"]:
                up(places)
                print(f"export KUBECONFIG={places.kubeconfig} PATH={places.programs}:$PATH")
            case ["down"]:
                down(places)
            case ["reset"]:
                reset(places)
            case ["status"]:
                return _status(places)
            case _:
                sys.stderr.write("usage: python -m rig up | down | status | reset\n")
                return 2
    except NotUp as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    except subprocess.CalledProcessError as problem:
        sys.stderr.write(f"{(problem.stderr or '').strip()}\nfailed: {problem.cmd}\n")
        return 1
    return 0


def _status(places: Places) -> int:
    for name, runs in running(places).items():
        print(f"{name:26}{'runs' if runs else 'ended'}")
    whole = is_up(places)
    print(f"The cluster is up; KUBECONFIG={places.kubeconfig}" if whole else "The cluster is down.")
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
