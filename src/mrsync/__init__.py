"""mrsync: make a directory tree on many machines equal to the one on a master, every byte sent once by multicast."""

__version__ = "5.0.0.dev0"
