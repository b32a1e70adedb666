/* wan IN OUT DELAY_MS LATE_SHARE LATE_MS DOUBLED_SHARE LOST_SHARE RUN
 *
 * Forwards Ethernet frames between two interfaces that belong to no bridge, and does to UDP over IPv4 what long paths
 * do, where the kernel has no netem. DELAY_MS: one way, in both directions. From IN to OUT only: LATE_SHARE of the
 * packets come LATE_MS later, DOUBLED_SHARE come twice, and LOST_SHARE get lost in runs of RUN packets on average.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { FRAME_MAX = 70000, PER_TURN = 64, UDP_CHECKSUM = 40, UDP_HEADER_END = 42 };

struct frame {
    long due_ns, number;
    int out, length;
    unsigned char *bytes;
};

static struct frame *heap;
static int count, room;
static long numbered;

static long now_ns(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000L + at.tv_nsec;
}

static int is_before(const struct frame *a, const struct frame *b) {
    return a->due_ns < b->due_ns || (a->due_ns == b->due_ns && a->number < b->number);
}

static void swap(int a, int b) {
    struct frame kept = heap[a];
    heap[a] = heap[b];
    heap[b] = kept;
}

static void push(struct frame frame) {
    if (count == room) {
        room = room ? 2 * room : 4096;
        heap = realloc(heap, room * sizeof *heap);
        if (!heap) exit(1);
    }
    heap[count] = frame;
    for (int at = count++; at && is_before(&heap[at], &heap[(at - 1) / 2]); at = (at - 1) / 2) swap(at, (at - 1) / 2);
}

static struct frame pop(void) {
    struct frame first = heap[0];
    heap[0] = heap[--count];
    for (int at = 0;;) {
        int child = 2 * at + 1;
        if (child + 1 < count && is_before(&heap[child + 1], &heap[child])) child++;
        if (child >= count || !is_before(&heap[child], &heap[at])) return first;
        swap(at, child);
        at = child;
    }
}

static int open_interface(const char *name) {
    int opened = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)), one = 1, buffer = 64 << 20;
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(name)};
    struct packet_mreq all = {.mr_ifindex = address.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
    if (opened < 0 || !address.sll_ifindex || bind(opened, (void *)&address, sizeof address)) {
        perror(name);
        exit(1);
    }
    setsockopt(opened, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one);
    setsockopt(opened, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
    setsockopt(opened, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
    setsockopt(opened, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all);
    return opened;
}

static void keep(const unsigned char *bytes, int length, int out, double delay_ms) {
    struct frame frame = {now_ns() + (long)(delay_ms * 1e6), numbered++, out, length, malloc(length)};
    if (!frame.bytes) exit(1);
    memcpy(frame.bytes, bytes, length);
    push(frame);
}

int main(int arguments, char **argument) {
    static unsigned char bytes[FRAME_MAX];
    if (arguments != 9) return 2;
    int opened[2] = {open_interface(argument[1]), open_interface(argument[2])}, left_of_run = 0;
    double delay_ms = atof(argument[3]), late = atof(argument[4]), late_ms = atof(argument[5]);
    double doubled = atof(argument[6]), lost = atof(argument[7]), run = atof(argument[8]);
    puts("ready");
    fflush(stdout);
    for (;;) {
        while (count && heap[0].due_ns <= now_ns()) {
            struct frame frame = pop();
            send(opened[frame.out], frame.bytes, frame.length, 0);
            free(frame.bytes);
        }
        struct pollfd polled[2] = {{opened[0], POLLIN, 0}, {opened[1], POLLIN, 0}};
        long wait_ns = count ? heap[0].due_ns - now_ns() : 1000000000L;
        struct timespec wait = {wait_ns < 0 ? 0 : wait_ns / 1000000000L, wait_ns < 0 ? 0 : wait_ns % 1000000000L};
        ppoll(polled, 2, &wait, NULL);
        for (int in = 0; in < 2; in++)
            for (int turn = 0; turn < PER_TURN; turn++) {
                int length = recv(opened[in], bytes, sizeof bytes, MSG_DONTWAIT), copies = 1;
                double this_ms = delay_ms;
                if (length <= 0) break;
                int is_udp = length > UDP_HEADER_END && bytes[12] == 8 && bytes[13] == 0 && bytes[23] == 17;
                if (is_udp) bytes[UDP_CHECKSUM] = bytes[UDP_CHECKSUM + 1] = 0; /* the sender left it to the hardware */
                if (is_udp && in == 0) {
                    if (left_of_run > 0) {
                        left_of_run--;
                        copies = 0;
                    } else if (lost > 0 && drand48() < lost / run) {
                        left_of_run = (int)(2 * run * drand48());
                        copies = 0;
                    } else {
                        this_ms += drand48() < late ? late_ms : 0;
                        copies += drand48() < doubled;
                    }
                }
                while (copies--) keep(bytes, length, 1 - in, this_ms);
            }
    }
}
