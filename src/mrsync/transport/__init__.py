"""The only package with sockets and clocks: sending, receiving, the event loop, the worker, and the drivers."""
