"""Tests of the verifier by itself: `python -m unittest` in the folder above."""
