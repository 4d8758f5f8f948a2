"""The one exception that this package raises for what a caller can get wrong."""

from __future__ import annotations


class BabycryError(ValueError):
    """Wrong input, wrong configuration or a file that cannot be trusted.

    The message is one line: what was wrong, where, and the mend. The command line prints it
    after ``babycry-edge:`` and exits with status 2.
    """
