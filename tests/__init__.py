# SPDX-License-Identifier: Apache-2.0
"""The tests: each says one rule; real parts wherever a real part can serve."""
