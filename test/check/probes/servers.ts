/** Real servers on loopback for the probe tests: hostile ones on node:net, an honest one on node:http. */
import { createSocket, type RemoteInfo } from "node:dgram";
import { readdirSync, readFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { afterEach } from "vitest";

type Cleanup = () => void | Promise<void>;
const cleanups: Cleanup[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Runs after the test. */
export const onCleanup = (cleanup: Cleanup): void => {
  cleanups.push(cleanup);
};

/** Listens on a free port of `host`; `onSocket` gets each connection. Returns the port. */
export async function listen(
  onSocket: (socket: Socket) => void,
  options: { host?: string; allowHalfOpen?: boolean } = {},
): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: options.allowHalfOpen ?? false }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    // The prober may reset us at any time; tests that care listen themselves.
    socket.on("error", () => undefined);
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, options.host ?? "127.0.0.1", resolve));
  onCleanup(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

/** Answers every connection with `text` once the request head is complete; closes unless `open`. */
export const answering = (text: string | Uint8Array, open = false): Promise<number> =>
  listen((socket) => {
    onRequest(socket, () => {
      socket.write(text);
      if (!open) socket.end();
    });
  });

export function onRequest(socket: Socket, callback: (head: string) => void): void {
  let head = "";
  socket.on("data", (chunk) => {
    const complete = head.includes("\r\n\r\n");
    head += chunk.toString("latin1");
    if (!complete && head.includes("\r\n\r\n")) callback(head);
  });
}

/** test/vectors/tls: certificate and key in one file. */
export const pem = (name: string): string =>
  new URL(`../../vectors/tls/${name}.pem`, import.meta.url).pathname;

/** The server's side of TLS on a connection, with a certificate of test/vectors/tls. */
export function tlsServer(socket: Socket, name: string, options: object = {}): TLSSocket {
  const file = readFileSync(pem(name));
  const secured = new TLSSocket(socket, { isServer: true, key: file, cert: file, ...options });
  secured.on("error", () => undefined);
  return secured;
}

/** A UDP server; `onMessage` answers with `reply`. Returns its port. */
export async function listenUdp(
  onMessage: (message: Buffer, reply: (answer: Uint8Array) => void, from: RemoteInfo) => void,
): Promise<number> {
  const socket = createSocket("udp4");
  socket.on("message", (message, from) =>
    onMessage(message, (answer) => socket.send(answer, from.port, from.address), from),
  );
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  onCleanup(() => {
    socket.close();
  });
  return socket.address().port;
}

/** A port nobody listens on. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export const openDescriptors = (): number => readdirSync("/proc/self/fd").length;

/** Waits until `condition` holds; the test's own timeout is the limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
