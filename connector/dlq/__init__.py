# SPDX-License-Identifier: Apache-2.0
"""Dead letters for those who look after them: which there are, what is in them, replaying and dropping them."""
