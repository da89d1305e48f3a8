"""A program that dies by SIGKILL at a numbered place at which bytes or names reach the disk."""

# Put before a program; it takes the number of the place as its second argument, 0 for none.
DIES_AT_STEP = """
import os, sys
from pathlib import Path
done = 0
def step(real):
    def wrapped(*arguments, **options):
        global done
        done += 1
        if done == int(sys.argv[2]):
            os.kill(os.getpid(), 9)
        return real(*arguments, **options)
    return wrapped
os.fsync = step(os.fsync)
for name in ("replace", "open", "unlink"):
    setattr(Path, name, step(getattr(Path, name)))
"""
