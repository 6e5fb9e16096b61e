/** The same large configuration for both programs: every service written out, one weight that can differ. */

export interface LargeConfig {
  readonly services: number;
  readonly serversEach: number;
  /** Weight of the first server of the middle service; all others have 1. */
  readonly changedWeight: number;
}

export const SERVICE_PORT = 80;
export const DEVICE = "dummy0";
const OWN_NETWORK = "192.0.2";
export const OWN_ADDRESS = `${OWN_NETWORK}.1/24`;

const dotted = (base: number, n: number): string => `${base}.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;

export const serviceAddress = (n: number): string => dotted(10, n + 1);
const serverAddress = (service: number, n: number, each: number): string =>
  dotted(172, service * each + n + 1);
export const changedService = ({ services }: Pick<LargeConfig, "services">): number => services >> 1;

/** An instance, so that both programs start all their processes. */
const VIPWARD_INSTANCE = `vrrp_instance:
  VI_1:
    interface: ${DEVICE}
    virtual_router_id: 51
    virtual_ipaddress: [${OWN_NETWORK}.100/24]`;
const KEEPALIVED_INSTANCE = `vrrp_instance VI_1 {
  interface ${DEVICE}
  state BACKUP
  virtual_router_id 51
  virtual_ipaddress {
    ${OWN_NETWORK}.100/24
  }
}`;

interface Server {
  readonly address: string;
  readonly weight: number;
}

function servers(config: LargeConfig, service: number): Server[] {
  return Array.from({ length: config.serversEach }, (_, n) => ({
    address: serverAddress(service, n, config.serversEach),
    weight: n === 0 && service === changedService(config) ? config.changedWeight : 1,
  }));
}

export function vipwardYaml(config: LargeConfig): string {
  const out = [VIPWARD_INSTANCE, "virtual_server:"];
  for (let n = 0; n < config.services; n++) {
    out.push(`  ${serviceAddress(n)} ${SERVICE_PORT}:`, "    lb_algo: rr", "    lb_kind: NAT");
    out.push("    protocol: TCP", "    real_server:");
    for (const { address, weight } of servers(config, n)) {
      out.push(`      ${address} ${SERVICE_PORT}:`, `        weight: ${weight}`);
    }
  }
  return `${out.join("\n")}\n`;
}

export function keepalivedConf(config: LargeConfig): string {
  const out = [KEEPALIVED_INSTANCE];
  for (let n = 0; n < config.services; n++) {
    out.push(`virtual_server ${serviceAddress(n)} ${SERVICE_PORT} {`, "  lb_algo rr", "  lb_kind NAT");
    out.push("  protocol TCP");
    for (const { address, weight } of servers(config, n)) {
      out.push(`  real_server ${address} ${SERVICE_PORT} {`, `    weight ${weight}`, "  }");
    }
    out.push("}");
  }
  return `${out.join("\n")}\n`;
}
