"""What is executed: the zygote itself, or a child that loads the app alone."""

from __future__ import annotations

import sys

from pillion.server.zygote.nursery import ALONE, be_nursery
from pillion.server.zygote.servant import be_alone

if __name__ == "__main__":
    if sys.argv[1] == ALONE:
        be_alone(*map(int, sys.argv[2:]))
    else:
        be_nursery(int(sys.argv[1]))
