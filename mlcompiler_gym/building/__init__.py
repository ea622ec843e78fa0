# SPDX-License-Identifier: Apache-2.0
"""Policies in real builds: a clang whose decisions policies take."""
