"""Serves a folder through FUSE, read-only, as a network file system would: no events, its own device number, the
inode numbers of what it serves. Speaks the kernel's protocol itself, so that nothing has to be installed.

    passthrough.py FOLDER MOUNTPOINT FAULTS

Reads of the file NAME hang while FAULTS/hang-NAME is there, and fail with ESTALE while FAULTS/stale-NAME is; while
FAULTS/hang-EVERYTHING is there, every request does. The first one that does leaves a file of that name with .hit behind
it. It ends with its stdin.
"""

import ctypes
import errno
import os
import stat
import struct
import sys
import threading
import time

LOOKUP, FORGET, GETATTR, READLINK, OPEN, READ, STATFS, RELEASE = 1, 2, 3, 5, 14, 15, 17, 18
FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR, ACCESS, INTERRUPT, DESTROY, BATCH_FORGET = 25, 26, 27, 28, 29, 34, 36, 38, 42
ROOT = 1
DIRECT_IO = 1


class Server:
    def __init__(self, folder, mountpoint, faults):
        self.faults = faults
        self.device = os.open("/dev/fuse", os.O_RDWR)
        # What a node number stands for: held, so that it stays the same file whatever its name becomes.
        self.nodes = {ROOT: os.open(folder, os.O_PATH)}
        self.names = {ROOT: ""}
        self.handles = {}
        self.lists = {}
        self.next_handle = 1
        self.lock = threading.Lock()
        options = f"fd={self.device},rootmode=40000,user_id=0,group_id=0,allow_other"
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"passthrough", os.fsencode(mountpoint), b"fuse", 6, os.fsencode(options)) != 0:
            raise OSError(ctypes.get_errno(), "mount")

    def serve(self):
        while True:
            try:
                request = os.read(self.device, 1 << 20)
            except OSError as error:
                if error.errno in (errno.EINTR, errno.ENOENT):
                    continue
                return
            _, opcode, unique, node, *_ = struct.unpack_from("<IIQQIIII", request)
            body = request[40:]
            if opcode in (FORGET, BATCH_FORGET, INTERRUPT):
                continue
            # One that hangs must keep no other waiting.
            threading.Thread(target=self.answer, args=(opcode, unique, node, body), daemon=True).start()

    def answer(self, opcode, unique, node, body):
        if opcode != INIT:
            self.hang("EVERYTHING")
        try:
            error, answer = 0, self.act(opcode, node, body)
        except OSError as failed:
            error, answer = -failed.errno, b""
        try:
            os.write(self.device, struct.pack("<IiQ", 16 + len(answer), error, unique) + answer)
        except OSError:
            pass

    def act(self, opcode, node, body):
        if opcode == INIT:
            return struct.pack("<IIIIHHIIHH32x", 7, 31, 0, 0, 16, 12, 4096, 1, 0, 0)
        if opcode == LOOKUP:
            return self.lookup(node, body.split(b"\0")[0])
        if opcode == GETATTR:
            return struct.pack("<QII", 0, 0, 0) + attributes(os.fstat(self.nodes[node]), node == ROOT)
        if opcode == READLINK:
            return os.fsencode(os.readlink("", dir_fd=self.nodes[node]))
        if opcode == OPEN:
            self.fail("stale", node)
            return self.handle(self.handles, os.open(f"/proc/self/fd/{self.nodes[node]}", os.O_RDONLY))
        if opcode == READ:
            handle, offset, size = struct.unpack_from("<QQI", body)
            self.fail("stale", node)
            self.hang(self.names[node])
            return os.pread(self.handles[handle], size, offset)
        if opcode == OPENDIR:
            return self.handle(self.lists, sorted(os.listdir(f"/proc/self/fd/{self.nodes[node]}")))
        if opcode == READDIR:
            return self.entries(node, *struct.unpack_from("<QQI", body))
        if opcode == RELEASE:
            os.close(self.handles.pop(struct.unpack_from("<Q", body)[0]))
            return b""
        if opcode == RELEASEDIR:
            del self.lists[struct.unpack_from("<Q", body)[0]]
            return b""
        if opcode == STATFS:
            return struct.pack("<QQQQQIIII24x", 1, 1, 1, 1, 1, 4096, 255, 4096, 0)
        if opcode in (FLUSH, ACCESS, DESTROY):
            return b""
        raise OSError(errno.ENOSYS, "not here")

    def lookup(self, parent, name):
        held = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=self.nodes[parent])
        seen = os.fstat(held)
        with self.lock:
            if seen.st_ino in self.nodes:
                os.close(held)
            else:
                self.nodes[seen.st_ino] = held
            self.names[seen.st_ino] = os.fsdecode(name)
        return struct.pack("<QQQQII", seen.st_ino, 0, 0, 0, 0, 0) + attributes(seen, False)

    def handle(self, table, value):
        with self.lock:
            handle, self.next_handle = self.next_handle, self.next_handle + 1
            table[handle] = value
        return struct.pack("<QIi", handle, DIRECT_IO if table is self.handles else 0, 0)

    def entries(self, node, handle, offset, size):
        answer = b""
        for at, name in enumerate(self.lists[handle][offset:], offset + 1):
            try:
                seen = os.stat(name, dir_fd=self.nodes[node], follow_symlinks=False)
            except FileNotFoundError:
                continue
            raw = os.fsencode(name)
            entry = struct.pack("<QQII", seen.st_ino, at, len(raw), stat.S_IFMT(seen.st_mode) >> 12) + raw
            entry += bytes(-len(entry) % 8)
            if len(answer) + len(entry) > size:
                break
            answer += entry
        return answer

    def hang(self, name):
        # Not for ever: who waits for this cannot even be killed.
        give_up = time.monotonic() + 90
        while self.is_ordered("hang", name) and time.monotonic() < give_up:
            time.sleep(0.02)

    def is_ordered(self, fault, name):
        order = os.path.join(self.faults, f"{fault}-{name}")
        ordered = os.path.exists(order)
        if ordered:
            open(order + ".hit", "w").close()
        return ordered

    def fail(self, fault, node):
        if self.is_ordered(fault, self.names[node]):
            raise OSError(errno.ESTALE, "ordered")


def attributes(seen, is_root):
    times = (seen.st_atime_ns, seen.st_mtime_ns, seen.st_ctime_ns)
    return struct.pack(
        "<QQQQQQIIIIIIIIII",
        ROOT if is_root else seen.st_ino,
        seen.st_size,
        seen.st_blocks,
        *(nanos // 10**9 for nanos in times),
        *(nanos % 10**9 for nanos in times),
        seen.st_mode,
        seen.st_nlink,
        seen.st_uid,
        seen.st_gid,
        seen.st_rdev & 0xFFFFFFFF,
        4096,
        0,
    )


def end_with_stdin():
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    server = Server(*sys.argv[1:])
    threading.Thread(target=end_with_stdin, daemon=True).start()
    print("ready", flush=True)
    server.serve()
