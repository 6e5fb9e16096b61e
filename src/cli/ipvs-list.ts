/** `ipvs -L`: what was asked, read from the kernel and printed. */
import { readFileSync } from "node:fs";
import { NetlinkFailure } from "../dataplane/kernel-ipvs/exchange.ts";
import {
  connectionsHeading,
  formatConnection,
  parseConnection,
  UnreadableConnections,
} from "../ipvsadm/connections.ts";
import { formatDaemons, formatList, formatTimeouts, type ListedService } from "../ipvsadm/format.ts";
import type { ListRequest } from "../ipvsadm/invocation.ts";
import { servicesJson } from "../ipvsadm/json.ts";
import { type Names, NUMERIC } from "../ipvsadm/names.ts";
import type { IpvsKernel } from "./ipvs-kernel.ts";

const PROC_CONNECTIONS = "/proc/net/ip_vs_conn";

/** The list could not be made: ipvsadm has a status of its own for that. */
export class NotListed extends Error {}

type Print = (text: string) => void;

/** Throws NotListed. */
export async function list(
  kernel: IpvsKernel,
  request: ListRequest,
  systemNames: Names,
  print: Print,
): Promise<void> {
  try {
    if (request.json) print(`${JSON.stringify(listJson(kernel, request), null, 2)}\n`);
    else await listText(kernel, request, request.numeric ? NUMERIC : systemNames, print);
  } catch (error) {
    if (error instanceof UnreadableConnections) throw new NotListed(error.message);
    if (!(error instanceof NetlinkFailure)) throw error;
    throw new NotListed(error.code === "ESRCH" ? "no such service" : error.message);
  }
}

async function listText(kernel: IpvsKernel, request: ListRequest, names: Names, print: Print): Promise<void> {
  switch (request.what) {
    case "timeouts":
      return print(formatTimeouts(kernel.timeouts()));
    case "daemons":
      return print(formatDaemons(kernel.daemons()));
    case "connections":
      return listConnections(request.engineData, names, print);
    case "services": {
      const info = request.service ? undefined : kernel.info;
      return print(await formatList(info, services(kernel, request), request, names));
    }
  }
}

/** What precedes a line that can't be read is printed, as in ipvsadm. */
async function listConnections(engineData: boolean, names: Names, print: Print): Promise<void> {
  const lines = connectionLines();
  print(connectionsHeading(engineData));
  for (const line of lines) print(await formatConnection(parseConnection(line), engineData, names));
}

function services(kernel: IpvsKernel, { service }: ListRequest): ListedService[] {
  return service ? [kernel.service(service)] : kernel.services();
}

function listJson(kernel: IpvsKernel, request: ListRequest): unknown {
  switch (request.what) {
    case "timeouts":
      return { timeouts: kernel.timeouts() };
    case "daemons":
      return { daemons: kernel.daemons() };
    case "connections":
      return { connections: connectionLines().map(parseConnection) };
    case "services":
      return servicesJson(kernel.info, services(kernel, request), request.sorted);
  }
}

/** Without the heading. */
function connectionLines(): string[] {
  const [heading, ...lines] = readFileSync(PROC_CONNECTIONS, "utf8").split("\n");
  if (!heading) throw new UnreadableConnections(`${PROC_CONNECTIONS} is empty`);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}
