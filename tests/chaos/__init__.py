# SPDX-License-Identifier: Apache-2.0
"""Chaos on real parts: what goes wrong in a connector's surroundings, by a seed, and a checker of what is left."""
