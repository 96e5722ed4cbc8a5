# SPDX-License-Identifier: Apache-2.0
"""Rules of one module, without I/O beyond files of the project."""
