"""Starts a training on several processes: what to start (plan), what cannot work (rules), and the starting itself.

The processes are started by accelerate and torchrun, or by Ray Train; nothing here knows a loss, a trainer's inside or a data set.
"""
