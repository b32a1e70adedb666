"""Numbers that both ends must agree on: versions, sizes, and an upper bound for everything that is counted."""

MAGIC = 0x6D  # "m": a packet of ours, not of a stranger on the same group
# Raise it with each change after which an older program would misunderstand a packet, a message, the manifest or a
# plan: another layout, or another meaning of a value. A launched catcher has its master's code, so only catchers that
# were started by hand can be of another version. A new field of the policy alone needs no new version: a target that
# does not know it refuses (ProtocolVersionError).
VERSION = 3

HEADER_BYTES = 24
INSTANCE_BYTES = 8  # clear prefix of every control message: the process that sent it
SIGNATURE_BYTES = 64  # Ed25519
DIGEST_BYTES = 32  # SHA-256
DIGESTS_MAX = 31  # in one message
TAG_BYTES = 16  # AES-GCM tag, or HMAC-SHA256 cut to 128 bits (RFC 4868)
SECRET_BYTES = 32
SESSION_BYTES = 8
NO_SESSION = 0  # that of a knock

CONTROL_BYTES_MAX = 1200  # fits the IPv6 minimum MTU with room, so that control passes wherever pages pass
HELLO_BYTES_MIN = 256  # padded to it: no answer is longer, as the address of a hello may be forged
CONTROL_BODY_MAX = CONTROL_BYTES_MAX - HEADER_BYTES - INSTANCE_BYTES - TAG_BYTES
EXCEPTIONS_MAX = 120  # ranges that a status can take out of a commit; a span with more must end earlier
MONITORS_MAX = 3  # the monitor and two standbys
PACKETS_PER_PAGE_MAX = 64  # UDP_MAX_SEGMENTS of Linux
BURST_BYTES_MAX = 65400  # one UDP_SEGMENT send, IPv4 and IPv6 alike
MTU_MIN = 576
PATH_MTU_MIN = 1280  # what a path must carry: control messages fit, and IPv6 asks for it anyway
MTU_MAX = 9216  # larger claims (loopback: 65536) gain nothing: the kernel batches anyway
TERMS_MAX = 16  # slices XORed into one coded packet
TERM_BYTES = 2  # each term after the first: 10 bits of page distance, 6 bits of packet index
TERM_DISTANCE_MAX = 1023

PEER_ADDRESS_BYTES = 16  # of a target as another one reaches it; IPv4 mapped into IPv6
TARGETS_MAX = 4096
CASTER_ID = 0xFFFF  # the sender field of what the caster sends
ISLAND_ID = 0xFFFF  # the child field of a FEED that is for all targets of an island
PAGES_MAX = 0xFFFFFFFF
TX_MAX = 0xFFFFFFFF
PLANNED_PAGES_MAX = TX_MAX - (TX_MAX >> 3)  # of all objects of a session: the rest is for what is repaired
TX_AHEAD_MAX = 65536  # packets claiming a tx further ahead of the last sealed status are forged or lost in time
TEXT_BYTES_MAX = 400
REFUSAL_BYTES_MAX = 200  # of its reason: a FAREWELL that answers a HELLO is not longer than that
RECORD_BYTES_MAX = 4600  # a path of Linux (4096 bytes) and a text; records are cut anywhere into pieces of the log
LOG_BYTES_MAX = 256 << 20
ERRORS_MAX = 1000  # errors that a target reports with their paths; further ones are only counted
CHANGES_BYTES_MAX = 128 << 20  # of the log, for what is itemized

assert TARGETS_MAX < CASTER_ID
assert CONTROL_BYTES_MAX + 48 <= 1280
