/** A web server of the demo: says its name. */
import { createServer } from "node:http";

export function serveWeb(name: string): Promise<number> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/plain", connection: "close" });
    response.end(`${name}\n`);
  });
  server.listen(80, "0.0.0.0");
  return new Promise(() => {});
}
