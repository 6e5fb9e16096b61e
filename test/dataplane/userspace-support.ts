/** Real backends and clients on loopback, and operations for the userspace dataplane. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { openUserspaceDataplane, type UserspaceOptions } from "../../src/dataplane/userspace/index.ts";
import type { DestSpec, Operation, ServiceSpec } from "../../src/lvs/table.ts";

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export async function openForTest(options: Partial<UserspaceOptions> = {}) {
  const lines: LogLine[] = [];
  const dataplane = await openUserspaceDataplane({
    log: (level, message, fields) => lines.push({ level, message, fields }),
    ...options,
  });
  return { dataplane, lines };
}

/** Every address of 127/8 is local: one per test run keeps ports apart. */
export const VIP = `127.${100 + (process.pid % 100)}.${1 + ((process.pid >> 7) % 250)}.1`;

export async function freePort(address = VIP): Promise<number> {
  const server = createServer().listen(0, address);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

export const tcpService = (port: number, spec: Partial<ServiceSpec> = {}, address = VIP): ServiceSpec => ({
  id: { kind: "address", protocol: "tcp", family: address.includes(":") ? 6 : 4, address, port },
  scheduler: "rr",
  flags: 0,
  timeout: 0,
  netmask: address.includes(":") ? 128 : 32,
  pe: "",
  ...spec,
});

export const destSpec = (port: number, spec: Partial<DestSpec> = {}): DestSpec => ({
  address: "127.0.0.1",
  family: 4,
  port,
  forward: "masq",
  weight: 1,
  upperThreshold: 0,
  lowerThreshold: 0,
  tunType: 0,
  tunPort: 0,
  tunFlags: 0,
  ...spec,
});

export const serviceOp = (
  op: "addService" | "editService" | "deleteService",
  service: ServiceSpec,
): Operation => ({
  op,
  key: keyOf(service),
  service,
});

export const destOp = (
  op: "addDest" | "editDest" | "deleteDest",
  service: ServiceSpec,
  dest: DestSpec,
): Operation => ({ op, key: keyOf(service), service, destKey: `${dest.address}:${dest.port}`, dest });

export const keyOf = ({ id }: ServiceSpec): string =>
  id.kind === "fwmark" ? `fwmark ${id.mark} inet` : `${id.protocol} ${id.address}:${id.port}`;

export interface Backend {
  readonly server: Server;
  readonly port: number;
  readonly sockets: Socket[];
}

/** A backend on its own port; `serve` gets each connection, whose errors are swallowed. */
export async function startBackend(
  serve: (socket: Socket) => void,
  host = "127.0.0.1",
  port = 0,
): Promise<Backend> {
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    sockets.push(socket);
    serve(socket);
  }).listen(port, host);
  await once(server, "listening");
  return { server, port: (server.address() as AddressInfo).port, sockets };
}

export function stopBackend(backend: Backend): void {
  backend.server.close();
  for (const socket of backend.sockets) socket.destroy();
}

/** A client that need not get through. */
export function dial(port: number, address = VIP, from?: string): Socket {
  const local = from === undefined ? {} : { localAddress: from };
  const socket = connect({ host: address, port, allowHalfOpen: true, ...local });
  socket.on("error", () => {});
  return socket;
}

export async function openClient(port: number, address = VIP): Promise<Socket> {
  const socket = dial(port, address);
  await once(socket, "connect");
  return socket;
}

/** Everything until the other side's FIN, our side staying open; rejects when the connection is reset. */
export function readAll(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.once("end", () => resolve(Buffer.concat(chunks)));
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed before its end")));
    // One that was paused on purpose does not start by listening alone.
    socket.resume();
  });
}

/** What a backend that names itself and closes answers. */
export async function ask(port: number, address = VIP): Promise<string> {
  const socket = dial(port, address);
  try {
    return (await readAll(socket)).toString();
  } finally {
    socket.destroy();
  }
}

/** How the connection ended: an errno name, or "closed". */
export async function fate(socket: Socket): Promise<string> {
  let code = "closed";
  socket.on("error", (error: NodeJS.ErrnoException) => {
    code = error.code ?? error.message;
  });
  socket.resume();
  socket.on("end", () => socket.end());
  if (!socket.closed) await once(socket, "close").catch(() => {});
  return code;
}

/** A port that drops every SYN: a stopped process whose accept queue is full. */
export async function startSilentBackend(): Promise<{ port: number; stop: () => void }> {
  const program = `
    const server = require("node:net").createServer().listen(0, "127.0.0.1", 1, () => {
      process.stdout.write(String(server.address().port), () => process.kill(process.pid, "SIGSTOP"));
    });`;
  const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  const [text] = (await once(child.stdout, "data")) as [Buffer];
  const port = Number(text.toString());
  // A queue of length 1 holds two; some more, in case the process took one before it stopped.
  const queued = Array.from({ length: 8 }, () => dial(port, "127.0.0.1"));
  await Promise.all(queued.slice(0, 2).map((socket) => once(socket, "connect")));
  const stop = (): void => {
    for (const socket of queued) socket.destroy();
    child.kill("SIGKILL");
  };
  return { port, stop };
}
