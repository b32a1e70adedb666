"""The bytes of each message and record. Each module encodes and decodes a few, `codec` finds the right one,
and `session` seals them.

Fields of fixed width come from one table per message (`wire/layout.py`), which docs/protocol.md describes under the
same tags. Decoding raises ProtocolDataError for anything that is not exactly what encoding makes.
"""
