"""Crashes a signing service of its own, again and again under load, and looks for its keys in what is left.

backends   where the keys are; keys whose private halves the drill knows
house      settings of the service
subject    the service without what keeps its memory out of dumps, so that there are dumps to look at
service    starts it, finds its processes, has tokens asked for all the time
cage       a memory cgroup, in which it runs out of memory
ways       ways to crash a process, and to take its memory
looking    searches an image for all keys
redacting  a redaction that is killed on its way
report     the table of residues
running    all of it
"""
