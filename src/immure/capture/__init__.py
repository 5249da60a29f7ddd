"""Takes cores from the kernel and seals them, so that nothing readable reaches a disk.

line, budget           who is read, who waits, who goes; pure
protocol, peer, crash  what the kernel says, and who crashed
channel, incoming, intake   from the kernel into an encrypted spool
keeping                from the spool into the vault
desk, server           all of it, for many crashes at once
pattern, install       core_pattern, and the files that make it last
drill                  crashes a program on purpose, to see what each way of dumping it leaves behind
"""
