"""The only sockets and the only clock: multicast set-up, bursts, intake, the disk worker and the driver loops."""
