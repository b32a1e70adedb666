"""The only package with sockets and clocks: multicast setup, sending bursts, intake, the worker, and the driver
loops.
"""
