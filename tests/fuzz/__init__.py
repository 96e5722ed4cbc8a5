# SPDX-License-Identifier: Apache-2.0
"""Foreign bytes, made of valid ones by mutation: whatever comes in, what comes out has a name."""
