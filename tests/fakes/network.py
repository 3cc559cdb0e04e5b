"""A network of one's own, in which every address is this machine and every packet is seen.

A process that calls `isolate` leaves the real network for good, with all the children that it
starts afterwards. No right is needed, but a kernel that lets users make namespaces.
"""

import ctypes
import fcntl
import os
import socket
import struct
import threading
from pathlib import Path
from typing import NamedTuple

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCSIFFLAGS, IFF_UP, IFF_RUNNING = 0x8914, 0x1, 0x40
RTM_NEWROUTE, NLM_F_REQUEST_ACK_CREATE = 24, 0x1 | 0x4 | 0x400
RT_TABLE_LOCAL, RTPROT_STATIC, RT_SCOPE_HOST, RTN_LOCAL, RTA_OIF = 255, 4, 254, 2, 4
ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 = 3, 0x0800, 0x86DD
SOL_PACKET, PACKET_STATISTICS = 263, 6
SYN, ACK = 0x02, 0x10
LOOPBACK = "lo"


def isolate() -> None:
    """Leave the real network for one without a way out; raises OSError where that is forbidden."""
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "no namespace")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        flags = struct.pack("16sh14x", LOOPBACK.encode(), IFF_UP | IFF_RUNNING)
        fcntl.ioctl(control, SIOCSIFFLAGS, flags)
    for family in (socket.AF_INET, socket.AF_INET6):
        _take_every_address(family)


def _take_every_address(family: int) -> None:
    """Say that all addresses are local, as ``ip route add local default dev lo`` does."""
    route = struct.pack(
        "=BBBBBBBBI", family, 0, 0, 0, RT_TABLE_LOCAL, RTPROT_STATIC, RT_SCOPE_HOST, RTN_LOCAL, 0
    ) + struct.pack("=HHi", 8, RTA_OIF, socket.if_nametoindex(LOOPBACK))
    head = struct.pack("=IHHII", 16 + len(route), RTM_NEWROUTE, NLM_F_REQUEST_ACK_CREATE, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.send(head + route)
        (fault,) = struct.unpack_from("=i", netlink.recv(4096), 16)
    if fault:
        raise OSError(-fault, "no route")


class Attempt(NamedTuple):
    """A connection that somebody tried to open, or a datagram that somebody sent."""

    protocol: str
    host: str
    port: int


class Sniffer:
    """Sees every packet from now on, and keeps the attempts."""

    def __init__(self) -> None:
        self.attempts: set[Attempt] = set()
        self._packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self._packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 26)
        threading.Thread(target=self._run, daemon=True).start()

    def missed(self) -> int:
        """Return how many packets came too fast to be seen, which must be none."""
        counts = self._packets.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
        return struct.unpack("=II", counts)[1]

    def _run(self) -> None:
        while True:
            packet, (_, kind, *_rest) = self._packets.recvfrom(65535)
            found = _attempt(kind, packet)
            if found is not None:
                self.attempts.add(found)


def _attempt(kind: int, packet: bytes) -> Attempt | None:
    if kind == ETH_P_IP:
        protocol, begin = packet[9], 4 * (packet[0] & 15)
        host = socket.inet_ntop(socket.AF_INET, packet[16:20])
    elif kind == ETH_P_IPV6:
        protocol, begin = packet[6], 40
        host = socket.inet_ntop(socket.AF_INET6, packet[24:40])
    else:
        return Attempt(f"ethernet {kind:#x}", "", 0)
    if protocol == socket.IPPROTO_TCP:
        flags = packet[begin + 13]
        if not flags & SYN or flags & ACK:
            return None
        return Attempt("tcp", host, int.from_bytes(packet[begin + 2 : begin + 4]))
    if protocol == socket.IPPROTO_UDP:
        sender, port = struct.unpack_from("!HH", packet, begin)
        return None if sender == 53 else Attempt("udp", host, port)
    return None


class NameServer:
    """Answers every question for IPv4 addresses on port 53, whatever address it is sent to.

    `names` hold each name's addresses, the present ones first: with each answer they move on, the
    last one stays. Unknown names do not exist.
    """

    def __init__(self, names: dict[str, list[str]]) -> None:
        self.names = names
        self.asked: set[str] = set()
        self._socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # The answer has to come from the address that was asked.
        self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        self._socket.bind(("::", 53))
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            question, about, _, sender = self._socket.recvmsg(4096, 256)
            self._socket.sendmsg([self._answer(question)], about, 0, sender)

    def _answer(self, question: bytes) -> bytes:
        labels: list[str] = []
        position = 12
        while size := question[position]:
            labels.append(question[position + 1 : position + 1 + size].decode())
            position += 1 + size
        asked = question[12 : position + 5]
        (kind,) = struct.unpack_from("!H", question, position + 1)
        name = ".".join(labels).lower()
        self.asked.add(name)
        addresses = self.names.get(name)
        code = 0x8580 if addresses else 0x8583
        answers = b""
        if addresses and kind == 1:
            address = addresses.pop(0) if len(addresses) > 1 else addresses[0]
            answers = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 0, 4) + socket.inet_aton(address)
        head = question[:2] + struct.pack("!HHHHH", code, 1, 1 if answers else 0, 0, 0)
        return head + asked + answers
