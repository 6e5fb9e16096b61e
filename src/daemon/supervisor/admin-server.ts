/** The admin API on a private unix socket: status and reload. Small on purpose, in a root process. */
import { rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

export interface AdminHandlers {
  status(): Promise<object>;
  reload(): Promise<{ readonly ok: boolean; readonly text: string }>;
}

/** Mode 0660: the daemon's user and group only. */
const SOCKET_UMASK = 0o117;

/** Resolves when it listens; the lock guarantees that a socket already there is nobody's. */
export async function openAdminServer(socket: string, handlers: AdminHandlers): Promise<() => Promise<void>> {
  const server = createServer(
    { maxHeaderSize: 8_192, requestTimeout: 5_000, headersTimeout: 5_000 },
    (request, response) => {
      answer(request, response, handlers).catch((error: Error) =>
        reply(response, 500, { error: error.message }),
      );
    },
  );
  server.maxConnections = 64;
  server.keepAliveTimeout = 1;
  rmSync(socket, { force: true });
  const umask = process.umask(SOCKET_UMASK);
  try {
    await listen(server, socket);
  } finally {
    process.umask(umask);
  }
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
}

function listen(server: Server, socket: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(new Error(`cannot listen on ${socket}: ${error.message}`)));
    server.listen(socket, () => resolve());
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  handlers: AdminHandlers,
): Promise<void> {
  const path = new URL(request.url ?? "/", "http://localhost").pathname;
  request.resume();
  if (path === "/livez" && request.method === "GET") return reply(response, 200, { ok: true });
  if (path === "/api/v1/status" && request.method === "GET")
    return reply(response, 200, await handlers.status());
  if (path === "/api/v1/reload" && request.method === "POST") {
    const result = await handlers.reload();
    return reply(response, result.ok ? 200 : 422, result);
  }
  reply(response, 404, { error: `no ${request.method} ${path} here` });
}

function reply(response: ServerResponse, status: number, body: object): void {
  if (response.headersSent) {
    response.end();
    return;
  }
  response.writeHead(status, { "content-type": "application/json", connection: "close" });
  response.end(JSON.stringify(body));
}
