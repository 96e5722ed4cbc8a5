# SPDX-License-Identifier: Apache-2.0
"""The chart, held to what it promises."""
