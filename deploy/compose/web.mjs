/** A web server of the demo: says its name. Holds the VIP on lo, as direct routing wants it. */
import { execFileSync } from "node:child_process";
import { createServer } from "node:http";
import { hostname } from "node:os";

const name = hostname();
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(0));

// "replace": a container that is started again may keep its network namespace.
execFileSync("ip", ["addr", "replace", `${process.env.VIP}/32`, "dev", "lo"], { stdio: "inherit" });

const server = createServer((_request, response) => {
  response.writeHead(200, { "content-type": "text/plain", connection: "close" });
  response.end(`${name}\n`);
});
server.listen(80, "0.0.0.0", () => console.log(`${name} listens on port 80, ${process.env.VIP} on lo`));
