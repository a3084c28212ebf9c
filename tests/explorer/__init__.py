"""Tests of the explorer in the kernel, without a browser."""
