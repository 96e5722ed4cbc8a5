# SPDX-License-Identifier: Apache-2.0
"""The engine in virtual time, with seeded faults."""
