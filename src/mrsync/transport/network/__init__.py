"""Interfaces, routes and sockets of this host."""
