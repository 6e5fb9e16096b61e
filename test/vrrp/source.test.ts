/** Which address adverts are sent from: conformance case 18 (RFC 5798 §5.1.1.1). Nothing is opened here. */
import { describe, expect, it } from "vitest";
import type { InstanceConfig } from "../../src/config/model.ts";
import { InterfacePort } from "../../src/daemon/vrrp/interface-port.ts";
import type { Poller } from "../../src/net/poller.ts";
import { type AddressInfo, VIPWARD_IFA_PROTO } from "../../src/net/rtnetlink.ts";
import { config, OWN, VIP } from "./support.ts";

const address = (text: string, over: Partial<AddressInfo> = {}): AddressInfo =>
  ({ index: 2, family: 4, address: text, prefixLength: 24, secondary: false, ...over }) as AddressInfo;

function source(addresses: readonly AddressInfo[], over: Partial<InstanceConfig> = {}): string | undefined {
  const port = new InterfacePort("eth0", {} as Poller, () => {});
  // Without a link no socket is opened; the addresses are noted all the same.
  port.update(undefined, addresses);
  return port.sourceFor(config(over));
}

describe("case 18: RFC 5798 5.1.1.1: the source of advertisements", () => {
  it("is the interface's first primary address", () => {
    expect(source([address(OWN), address("192.0.2.30")])).toBe(OWN);
    expect(source([address("192.0.2.30", { secondary: true }), address(OWN)])).toBe(OWN);
  });
  it("is never a VIP, whoever put it there", () => {
    expect(source([address(VIP), address(OWN)])).toBe(OWN);
    expect(source([address("192.0.2.200", { protocol: VIPWARD_IFA_PROTO }), address(OWN)])).toBe(OWN);
    expect(source([address(VIP)])).toBeUndefined();
  });
  it("but an owner's only address may be its VIP (RFC 5798 6.1: the owner has it as its own)", () => {
    expect(source([address(VIP)], { priority: 255 })).toBe(VIP);
    expect(source([address(VIP), address(OWN)], { priority: 255 })).toBe(OWN);
  });
  it("is mcast_src_ip where configured, and nothing else when the interface does not have it", () => {
    const over = { sourceAddress: "192.0.2.30" };
    expect(source([address(OWN), address("192.0.2.30")], over)).toBe("192.0.2.30");
    expect(source([address(OWN)], over)).toBeUndefined();
  });
  it("is never an IPv6 address for an IPv4 instance", () => {
    expect(source([address("fe80::11", { family: 6 })])).toBeUndefined();
  });
});
