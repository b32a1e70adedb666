"""Who the targets are, and how a process is started there: ssh, other remote shells, gateways, local processes.

`targets` resolves their names, also from an `inventory`, and `folding` shortens lists of them. A `launcher` starts a
catcher on each: `shells` by ssh and other remote shells, `gateways` through ClusterShell, `local` on this host.
`command` builds the command lines, and `shell_kinds` knows how the remote shells differ. Where mrsync is not installed,
`bundle` packs what a catcher needs, and `loader` runs it on the target. `contact` follows each start, and `reasons`
explains why one failed. `keyfile` reads the secret of catchers that are started by hand.
"""
