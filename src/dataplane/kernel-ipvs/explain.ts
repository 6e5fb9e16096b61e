/** What the kernel's refusals mean (net/netfilter/ipvs/ip_vs_ctl.c), as it rarely says so itself. */
import type { Operation } from "../../lvs/table.ts";

const ANY: Readonly<Record<string, string>> = {
  EPERM: "not permitted: needs CAP_NET_ADMIN in this network namespace (run as root)",
  ENOMEM: "the kernel has no memory for it",
  EAFNOSUPPORT: "this kernel's ip_vs has no IPv6 (CONFIG_IP_VS_IPV6)",
  EPROTONOSUPPORT: "this kernel's ip_vs lacks the protocol (CONFIG_IP_VS_PROTO_...)",
  EOPNOTSUPP: "this kernel's ip_vs can't do it: its version is too old for an option used",
  ENOBUFS: "the kernel's answer was lost; the table will be read again",
  ETIMEDOUT: "the kernel did not answer; the table will be read again",
  EIO: "sending to the kernel failed",
};

const SERVICE: Readonly<Record<string, string>> = {
  EEXIST: "the service exists already",
  ESRCH: "no such service",
  EINVAL: "the kernel takes no service with these values (address, netmask, scheduler or its flags)",
};

const DEST: Readonly<Record<string, string>> = {
  EEXIST: "the destination exists already",
  ESRCH: "its service does not exist",
  ENOENT: "no such destination",
  EINVAL: "the kernel takes no destination with these values (address, family and forwarding must fit)",
  ERANGE: "weight or thresholds out of range (lower threshold above the upper?)",
};

/** `kernelText` is the extended ack, "" when there was none. */
export function explain(operation: Operation, code: string, kernelText: string): string {
  const ours = ownText(operation, code);
  return kernelText === "" ? ours : `${ours}: kernel says "${kernelText}"`;
}

function ownText(operation: Operation, code: string): string {
  const onDest = "destKey" in operation;
  if (!onDest && code === "ENOENT") {
    const { scheduler, pe } = operation.service;
    const modules = modulesOf(operation).join(" ");
    const engine = pe === "" ? "" : ` or persistence engine ${pe}`;
    return `the kernel has no scheduler ${scheduler}${engine}: modprobe ${modules}`;
  }
  return (onDest ? DEST : SERVICE)[code] ?? ANY[code] ?? "refused by the kernel";
}

/** Modules that a service operation needs besides ip_vs itself. */
export function modulesOf({ service }: Operation): string[] {
  const scheduler = `ip_vs_${service.scheduler}`;
  return service.pe === "" ? [scheduler] : [scheduler, `ip_vs_pe_${service.pe}`];
}
