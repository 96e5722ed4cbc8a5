# SPDX-License-Identifier: Apache-2.0
"""Rules of the engine's parts."""
