"""`python -m lakehouse_assets.cli`, where the command itself is not on the path."""

import sys

from lakehouse_assets.cli.app import main

sys.exit(main())
