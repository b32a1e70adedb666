"""What goes over the network, as tuples (`messages`, `records`), with its limits; no state.

`formats` turns messages into bytes and back; `seals` has keys, seals and signatures.
"""
