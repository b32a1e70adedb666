"""Pages as bursts of packets: cut, sent, received in place, opened, forwarded and kept for repair."""
