# SPDX-License-Identifier: Apache-2.0
"""The container image: what it is made of, and the connector at work in it."""
