"""``python -m companion.guard``: started by the app, and by nobody else."""

import sys

from companion.guard.watch import main

sys.exit(main())
