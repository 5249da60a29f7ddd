"""Crashes a program on purpose, with a key made for the occasion, and looks what each way of dumping leaves.

canary         the key
program        starts the program, and waits until it is ready
way            what a way of dumping is
ways           the kernel's and the debugger's; own_ways: those of ``immure capture``
residue        how much of the canary is in an image
demonstration  small programs that show what exclusion flags do, and what not
running        all of it
"""
