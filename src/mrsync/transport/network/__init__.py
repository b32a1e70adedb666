"""Interfaces, routes and sockets of this host.

`routes` and `interface` find out which interfaces lead to the targets, by `netlink`; `names` asks the resolver.
`multicast` opens the sockets, with `socket_options` and a `traffic_class`; `island` opens that of a relay's own group.
`batches` and `mailbox` read datagrams, `stamps` has their times, and `paths` is where they can be sent.
"""
