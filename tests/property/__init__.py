# SPDX-License-Identifier: Apache-2.0
"""Rules that hold for every input, searched for counterexamples."""
