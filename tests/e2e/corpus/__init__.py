# SPDX-License-Identifier: MIT
"""What the end-to-end tests send: tables to read and to add to."""
