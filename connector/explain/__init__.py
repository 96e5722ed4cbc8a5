# SPDX-License-Identifier: Apache-2.0
"""What becomes of an event, and why. Nothing is sent, nothing is committed, no group is joined."""
