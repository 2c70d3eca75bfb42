"""`python -m sandbox.courier`."""

import sys

from sandbox.courier.server import main

sys.exit(main())
