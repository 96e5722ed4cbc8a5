# SPDX-License-Identifier: Apache-2.0
"""Rules of the Button client and of what the transports share."""
