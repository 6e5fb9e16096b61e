/**
 * One connected UDP socket for one probe: only its server's datagrams arrive, and ICMP errors, soft ones too.
 * dgram-as-promised binds and closes; datagrams come through the socket's own "message" event, since its recv()
 * loses those that arrive between two calls.
 */
import { DgramAsPromised, type SocketAsPromised } from "dgram-as-promised";
import { libc } from "../../net/libc.ts";
import { type Failure, socketFailure } from "./outcome.ts";
import type { ProbeRun } from "./probe-run.ts";
import { bindSource, familyOf, openMarked, reportIcmpErrors, SOCK_DGRAM, type TcpTarget } from "./source.ts";

/**
 * Sends `payload` and hands every datagram that comes back to `onMessage` until the run ends, which closes the
 * socket. Errors end the run.
 */
export function exchangeDatagrams(
  run: ProbeRun,
  target: TcpTarget,
  payload: Uint8Array,
  onMessage: (message: Uint8Array) => void,
): void {
  const family = familyOf(target.connectIp);
  run.attempt(() => {
    const fd = openDatagramFd(target);
    const udp = DgramAsPromised.createSocket({
      type: family === 6 ? "udp6" : "udp4",
      // Addresses only: nothing is looked up.
      lookup: (host, _options, done) => done(null, host, family),
    });
    udp.socket.on("error", (error) => run.fail(udpFailure(error)));
    udp.socket.on("message", onMessage);
    void start(run, udp, fd, target, payload);
  });
}

function openDatagramFd(target: TcpTarget): number {
  const fd = openMarked(target.connectIp, SOCK_DGRAM, 0, target, "a UDP socket");
  try {
    bindSource(fd, target.connectIp, target, "a UDP socket");
    reportIcmpErrors(fd, target.connectIp);
    return fd;
  } catch (error) {
    libc().close(fd);
    throw error;
  }
}

async function start(
  run: ProbeRun,
  udp: SocketAsPromised,
  fd: number,
  { connectIp, connectPort }: TcpTarget,
  payload: Uint8Array,
): Promise<void> {
  try {
    // From here on the descriptor is the socket's.
    await udp.bind({ fd });
  } catch (error) {
    libc().close(fd);
    return run.fail(udpFailure(error));
  }
  run.onEnd(() => void udp.close().catch(() => undefined));
  if (run.ended) return;
  // Node passes a failed connect to this callback instead of emitting it, which its types don't know.
  udp.socket.connect(connectPort, connectIp, (...[failure]: unknown[]) => {
    if (failure instanceof Error) run.fail(udpFailure(failure));
    if (run.ended) return;
    udp.socket.send(payload, (error) => {
      if (error !== null) run.fail(udpFailure(error));
    });
  });
}

export function udpFailure(error: unknown): Failure {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  switch (code) {
    case "ECONNREFUSED":
      return { reason: "refused", detail: "port unreachable (ICMP)" };
    case "EHOSTUNREACH":
      return { reason: "unreachable", detail: "host unreachable (ICMP or ARP)" };
    case "ENETUNREACH":
      return { reason: "unreachable", detail: "network unreachable" };
    case "EACCES":
      return { reason: "unreachable", detail: "administratively prohibited (ICMP)" };
    default:
      return socketFailure(error);
  }
}
