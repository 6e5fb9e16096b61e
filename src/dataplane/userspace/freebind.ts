/**
 * Listening on an address this node may not have yet: the VIP of a backup director comes and goes,
 * its listener stays. Node cannot set IP_FREEBIND, so the socket is made through libc.
 */
import { once } from "node:events";
import type { Server } from "node:net";
import type { Family } from "../../config/model.ts";
import { int32, putU16, putU16Network } from "../../net/bytes.ts";
import { check } from "../../net/errors.ts";
import { libc } from "../../net/libc.ts";
import { endpoint } from "./address.ts";
import { Refusal } from "./failure.ts";

/** sys/socket.h, linux/in.h, linux/in6.h; the same on every architecture Node runs on but MIPS. */
const AF_INET = 2;
const AF_INET6 = 10;
const STREAM_CLOEXEC_NONBLOCK = 1 | 0o2000000 | 0o4000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_IP = 0;
const IP_FREEBIND = 15;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const IPV6_FREEBIND = 78;
/** Cut to net.core.somaxconn by the kernel. */
const BACKLOG = 4096;

/** struct sockaddr_in or sockaddr_in6. */
function socketAddress(family: Family, address: Uint8Array, port: number): Uint8Array {
  const bytes = new Uint8Array(family === 4 ? 16 : 28);
  putU16(bytes, 0, family === 4 ? AF_INET : AF_INET6);
  putU16Network(bytes, 2, port);
  bytes.set(address, family === 4 ? 4 : 8);
  return bytes;
}

/** A bound TCP socket that does not listen yet. */
function boundSocket(family: Family, address: Uint8Array, port: number): number {
  const fd = check(
    libc().socket(family === 4 ? AF_INET : AF_INET6, STREAM_CLOEXEC_NONBLOCK, 0),
    "socket",
    "open a TCP socket",
  );
  const enable = (level: number, option: number): void => {
    check(
      libc().setsockopt(fd, level, option, int32(1), 4),
      "setsockopt",
      "set options of a listening socket",
    );
  };
  try {
    enable(SOL_SOCKET, SO_REUSEADDR);
    if (family === 4) enable(IPPROTO_IP, IP_FREEBIND);
    else {
      enable(IPPROTO_IPV6, IPV6_V6ONLY);
      enable(IPPROTO_IPV6, IPV6_FREEBIND);
    }
    const name = socketAddress(family, address, port);
    check(libc().bind(fd, name, name.length), "bind", "bind");
    return fd;
  } catch (error) {
    libc().close(fd);
    throw error;
  }
}

const ADVICE: Record<string, string> = {
  EADDRINUSE:
    "another program listens there or on this port of every address (`ss -ltnp` names it): stop it or bind it elsewhere",
  EACCES: "ports below 1024 need CAP_NET_BIND_SERVICE",
  EMFILE: "too many open files: raise LimitNOFILE",
};

function refusal(error: unknown, where: string): Refusal {
  const { code = "EIO", message } = error as NodeJS.ErrnoException;
  const advice = ADVICE[code] ?? message;
  return new Refusal(code, `cannot listen on ${where}: ${code}: ${advice}`);
}

/** Makes the server listen. Throws a Refusal with the errno's name; nothing is left open then. */
export async function listenFreebind(
  server: Server,
  family: Family,
  address: string,
  bytes: Uint8Array,
  port: number,
): Promise<void> {
  const where = endpoint(address, port);
  try {
    const fd = boundSocket(family, bytes, port);
    const listening = once(server, "listening");
    // From here on the descriptor is the server's, which closes it on failure too.
    server.listen({ fd }, BACKLOG);
    await listening;
  } catch (error) {
    throw refusal(error, where);
  }
}
