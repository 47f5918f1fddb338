# SPDX-License-Identifier: MIT
"""What the end-to-end tests stand on: each module wraps one thing of the world."""
