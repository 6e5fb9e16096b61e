/**
 * The C library through koffi: the calls Node has no API for.
 * Structures are laid out by hand in Buffers (src/net/bytes.ts); `long` and `ulong` stand for
 * ssize_t and size_t. Works with glibc and musl, 64-bit Linux.
 */
import koffi from "koffi";

type Pointer = Uint8Array | null;

/** Every call returns what C returns (-1 on failure): pass the result through check() at once. */
export interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Pointer, length: number): number;
  connect(fd: number, address: Pointer, length: number): number;
  close(fd: number): number;
  setsockopt(fd: number, level: number, option: number, value: Pointer, length: number): number;
  getsockopt(fd: number, level: number, option: number, value: Pointer, length: Pointer): number;
  getsockname(fd: number, address: Pointer, length: Pointer): number;
  send(fd: number, data: Pointer, length: number, flags: number): number;
  sendto(fd: number, data: Pointer, length: number, flags: number, to: Pointer, toLength: number): number;
  recv(fd: number, data: Pointer, length: number, flags: number): number;
  recvfrom(
    fd: number,
    data: Pointer,
    length: number,
    flags: number,
    from: Pointer,
    fromLength: Pointer,
  ): number;
  recvmsg(fd: number, message: Pointer, flags: number): number;
  ppoll(fds: Pointer, count: number, timeout: Pointer, sigmask: Pointer): number;
  eventfd(initial: number, flags: number): number;
  timerfdCreate(clock: number, flags: number): number;
  timerfdSettime(fd: number, flags: number, value: Pointer, old: Pointer): number;
  pipe2(fds: Pointer, flags: number): number;
  read(fd: number, data: Pointer, length: number): number;
  write(fd: number, data: Pointer, length: number): number;
  flock(fd: number, operation: number): number;
  setns(fd: number, type: number): number;
  clockGettime(clock: number, timespec: Pointer): number;
  ifNametoindex(name: string): number;
  prlimit(pid: number, resource: number, next: Pointer, previous: Pointer): number;
  /** System calls the C library may not have: musl's sched_setscheduler() is a stub that fails with ENOSYS. */
  syscall3(call: number, a: number, b: number, c: number): number;
  syscall3p(call: number, a: number, b: number, c: Pointer): number;
  /** ppoll on a pool thread; the result is what ppoll returned, its errno is lost. */
  ppollAsync(
    fds: Pointer,
    count: number,
    timeout: Pointer,
    sigmask: Pointer,
    done: (error: unknown, result: number) => void,
  ): void;
  /** sendto on a pool thread. */
  sendtoAsync(
    fd: number,
    data: Pointer,
    length: number,
    flags: number,
    to: Pointer,
    toLength: number,
    done: (error: unknown, result: number) => void,
  ): void;
}

let bound: Libc | undefined;

export function libc(): Libc {
  bound ??= bindAll();
  return bound;
}

/** errno of the last libc() call; read it before anything else is called. */
export const lastErrno = (): number => koffi.errno();

/** Address of a Buffer's first byte, for structures that hold pointers (iovec, sock_fprog). */
export const addressOf = (buffer: Uint8Array): bigint => koffi.address(buffer);

function bindAll(): Libc {
  const library = koffi.load(null);
  const f = (name: string, result: string, ...args: string[]) => library.func(name, result, args);
  const ppoll = f("ppoll", "int", "void*", "ulong", "void*", "void*");
  const sendto = f("sendto", "long", "int", "void*", "ulong", "int", "void*", "uint");
  return {
    socket: f("socket", "int", "int", "int", "int"),
    bind: f("bind", "int", "int", "void*", "uint"),
    connect: f("connect", "int", "int", "void*", "uint"),
    close: f("close", "int", "int"),
    setsockopt: f("setsockopt", "int", "int", "int", "int", "void*", "uint"),
    getsockopt: f("getsockopt", "int", "int", "int", "int", "void*", "void*"),
    getsockname: f("getsockname", "int", "int", "void*", "void*"),
    send: f("send", "long", "int", "void*", "ulong", "int"),
    sendto,
    recv: f("recv", "long", "int", "void*", "ulong", "int"),
    recvfrom: f("recvfrom", "long", "int", "void*", "ulong", "int", "void*", "void*"),
    recvmsg: f("recvmsg", "long", "int", "void*", "int"),
    ppoll,
    eventfd: f("eventfd", "int", "uint", "int"),
    timerfdCreate: f("timerfd_create", "int", "int", "int"),
    timerfdSettime: f("timerfd_settime", "int", "int", "int", "void*", "void*"),
    pipe2: f("pipe2", "int", "void*", "int"),
    read: f("read", "long", "int", "void*", "ulong"),
    write: f("write", "long", "int", "void*", "ulong"),
    flock: f("flock", "int", "int", "int"),
    setns: f("setns", "int", "int", "int"),
    clockGettime: f("clock_gettime", "int", "int", "void*"),
    ifNametoindex: f("if_nametoindex", "uint", "str"),
    prlimit: f("prlimit", "int", "int", "int", "void*", "void*"),
    syscall3: f("syscall", "long", "long", "long", "long", "long"),
    syscall3p: f("syscall", "long", "long", "long", "long", "void*"),
    ppollAsync: (...args) => ppoll.async(...args),
    sendtoAsync: (...args) => sendto.async(...args),
  };
}
