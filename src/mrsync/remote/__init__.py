"""Who the targets are, and how a process is started there: ssh, other remote shells, gateways, local processes."""
