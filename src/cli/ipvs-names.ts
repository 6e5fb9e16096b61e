/** Host and service names of this machine, each looked up once. */
import { lookup, lookupService } from "node:dns/promises";
import { readFileSync } from "node:fs";
import { type Names, parseServices, type ServiceTable } from "../ipvsadm/names.ts";

export function systemNames(servicesFile = "/etc/services"): Names {
  let services: ServiceTable | undefined;
  const table = (): ServiceTable => {
    services ??= readServices(servicesFile);
    return services;
  };
  const hosts = new Map<string, Promise<string | undefined>>();
  return {
    ipv4Of: async (host) => {
      try {
        return (await lookup(host, { family: 4 })).address;
      } catch {
        return undefined;
      }
    },
    hostOf: (address) => {
      let name = hosts.get(address);
      if (name === undefined) {
        name = reverse(address);
        hosts.set(address, name);
      }
      return name;
    },
    portOf: (service, protocol) => table().ports.get(`${service}/${protocol}`),
    serviceOf: (port, protocol) => table().names.get(`${port}/${protocol}`),
  };
}

async function reverse(address: string): Promise<string | undefined> {
  try {
    return (await lookupService(address, 0)).hostname;
  } catch {
    return undefined;
  }
}

function readServices(file: string): ServiceTable {
  try {
    return parseServices(readFileSync(file, "utf8"));
  } catch {
    return parseServices("");
  }
}
