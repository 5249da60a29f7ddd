"""Keys of which only a part is left: freed and partly overwritten numbers, half-erased encodings.

What is left of a key is completed by arithmetic, in memory only. So it is proved, and what can be proved can
be
redacted: from the whole key every piece of every number of it is known.
"""
