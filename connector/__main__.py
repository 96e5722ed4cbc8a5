# SPDX-License-Identifier: Apache-2.0
"""``python -m connector`` is ``button-connector``. Holds nothing else."""

from connector.cli import main

if __name__ == "__main__":
    main()
