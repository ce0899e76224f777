"""The parts of the tests that chaos is built from: real servers and real worker processes."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))

from redis_process import RedisProcess as RedisProcess
from redis_process import find_binary as find_binary
from sentinel_process import SERVICE as SERVICE
from sentinel_process import VOTED_WITHIN_S as VOTED_WITHIN_S
from sentinel_process import Watched as Watched
from worker_process import Run as Run
from worker_process import clean_environment as clean_environment

ROOT = Path(__file__).parent.parent
