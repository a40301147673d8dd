"""A second implementation of muster's protocol: it verifies, and never signs.

Written from docs/src/protocol/ alone, for whoever will not take the first implementation's word for
it. No module reads a clock, a file or the network but `command` and `vectors`.
"""
