import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SystemError } from "../../src/net/errors.ts";
import { libc } from "../../src/net/libc.ts";
import { ETH_P_ARP, openPacketSocket, receiveFrame, sendFrame } from "../../src/net/packet-socket.ts";
import { Poller } from "../../src/net/poller.ts";
import { closeFd, openVrrpSocket, receivePacket, sendPacket } from "../../src/net/raw-socket.ts";
import { inNamespace, ipIn, pair, until } from "../support/namespace.ts";

const GROUP = "224.0.0.18";
/** Spec vector: v2, VRID 51, priority 100, password "secret12", from 192.0.2.11. */
const ADVERT = Buffer.from(
  "45c0002800010000ff701887c000020be000001221336401010149e7c00002647365637265743132",
  "hex",
);

let net: ReturnType<typeof pair>;
beforeAll(() => {
  net = pair("sock");
});
afterAll(() => net.remove());

const indexOf = (ns: string) => inNamespace(ns, () => libc().ifNametoindex("eth0"));
const vrrpSocket = (ns: string) =>
  inNamespace(ns, () =>
    openVrrpSocket({ interfaceIndex: libc().ifNametoindex("eth0"), interfaceName: "eth0", group: GROUP }),
  );

describe("VRRP raw sockets", () => {
  it("RFC 5798 5.1: an advertisement sent in one namespace is received whole, byte for byte, in the other", async () => {
    const [sender, receiver] = [vrrpSocket(net.a), vrrpSocket(net.b)];
    sendPacket(sender, ADVERT, GROUP);
    const got = await until(() => receivePacket(receiver));
    expect(Buffer.from(got).toString("hex")).toBe(ADVERT.toString("hex"));
    // And no copy of it comes back to the sender.
    expect(receivePacket(sender)).toBeUndefined();
    closeFd(sender);
    closeFd(receiver);
  });

  it("a second socket on the sending host does not hear this host's own advertisement", async () => {
    const [sender, other, receiver] = [vrrpSocket(net.a), vrrpSocket(net.a), vrrpSocket(net.b)];
    sendPacket(sender, ADVERT, GROUP);
    await until(() => receivePacket(receiver));
    expect(receivePacket(other)).toBeUndefined();
    for (const fd of [sender, other, receiver]) closeFd(fd);
  });

  it("IP_MULTICAST_ALL off: another group of protocol 112 is not received; unicast is", async () => {
    const [sender, receiver] = [vrrpSocket(net.a), vrrpSocket(net.b)];
    const foreign = inNamespace(net.b, () =>
      openVrrpSocket({ interfaceIndex: indexOf(net.b), interfaceName: "eth0", group: "224.0.0.77" }),
    );
    const toForeign = Buffer.from(ADVERT);
    toForeign.set([224, 0, 0, 77], 16);
    const toUnicast = Buffer.from(ADVERT);
    toUnicast.set([192, 0, 2, 12], 16);
    sendPacket(sender, toForeign, "224.0.0.77");
    sendPacket(sender, toUnicast, "192.0.2.12");
    const first = await until(() => receivePacket(receiver));
    expect([...first.subarray(16, 20)]).toEqual([192, 0, 2, 12]);
    for (const fd of [sender, receiver, foreign]) closeFd(fd);
  });

  it("the Poller reports an advertisement and the received packet is a copy", async () => {
    const [sender, receiver] = [vrrpSocket(net.a), vrrpSocket(net.b)];
    const packets: Uint8Array[] = [];
    const poller = new Poller({
      onTick: () => {},
      onError: (error) => {
        throw error;
      },
    });
    poller.add(receiver, () => {
      for (let p = receivePacket(receiver); p; p = receivePacket(receiver)) packets.push(p);
    });
    poller.start();
    sendPacket(sender, ADVERT, GROUP);
    const other = Buffer.from(ADVERT);
    other[22] = 7;
    sendPacket(sender, other, GROUP);
    await until(() => (packets.length === 2 ? true : undefined));
    expect(packets.map((p) => p[22])).toEqual([100, 7]);
    await poller.stop();
    closeFd(sender);
    closeFd(receiver);
  });

  it("sending on an interface that is down throws SystemError; the socket works again when it is up", async () => {
    const [sender, receiver] = [vrrpSocket(net.a), vrrpSocket(net.b)];
    ipIn(net.a, "link", "set", "eth0", "down");
    let thrown: unknown;
    try {
      sendPacket(sender, ADVERT, GROUP);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(SystemError);
    expect((thrown as SystemError).code).toMatch(/^(ENETDOWN|ENETUNREACH|ENODEV)$/);
    ipIn(net.a, "link", "set", "eth0", "up");
    const got = await until(() => {
      try {
        sendPacket(sender, ADVERT, GROUP);
      } catch {
        return undefined;
      }
      return receivePacket(receiver);
    });
    expect(got).toHaveLength(ADVERT.length);
    closeFd(sender);
    closeFd(receiver);
  });

  it("an interface that is not there: the error names it and says what to do", () => {
    expect(() =>
      inNamespace(net.a, () =>
        openVrrpSocket({ interfaceIndex: 9999, interfaceName: "nosuch0", group: GROUP }),
      ),
    ).toThrow(/cannot bind a socket to interface nosuch0: setsockopt: ENODEV .*check its name/);
  });
});

describe("packet sockets", () => {
  /** Spec vector: gratuitous ARP for 192.0.2.100 with the virtual MAC of VRID 51. */
  const GARP = Buffer.from(
    "ffffffffffff00005e0001330806000108000604000100005e000133c0000264000000000000c0000264",
    "hex",
  );

  it("a gratuitous ARP frame arrives as it was sent; a send-only socket hears nothing", async () => {
    const [ia, ib] = [indexOf(net.a), indexOf(net.b)];
    const sender = inNamespace(net.a, () => openPacketSocket(ia));
    const receiver = inNamespace(net.b, () => openPacketSocket(ib, { receive: ETH_P_ARP }));
    const deaf = inNamespace(net.b, () => openPacketSocket(ib));
    sendFrame(sender, ia, GARP);
    const got = await until(() => {
      const frame = receiveFrame(receiver);
      return frame && Buffer.from(frame).equals(GARP) ? frame : undefined;
    });
    expect(got).toHaveLength(42);
    expect(receiveFrame(deaf)).toBeUndefined();
    for (const fd of [sender, receiver, deaf]) closeFd(fd);
  });

  it("a frame without an Ethernet header is refused", () => {
    expect(() => sendFrame(-1, 1, new Uint8Array(13))).toThrow(RangeError);
  });
});
