import { describe, expect, it } from "vitest";
import { probePing } from "../../../src/check/probes/ping.ts";
import { openPing, unwatch, watch } from "../../../src/check/probes/ping-socket.ts";
import { ms } from "../../../src/units.ts";
import { pingConfig } from "../support.ts";
import { openDescriptors, until } from "./servers.ts";

/** Without root, CAP_NET_RAW or a generous ping_group_range there is no ICMP socket to be had. */
const allowed = await mayPing();
async function mayPing(): Promise<boolean> {
  try {
    const { fd } = openPing("127.0.0.1", {});
    watch(fd, () => undefined);
    await unwatch(fd);
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(!allowed)("PING_CHECK on loopback", () => {
  it.each(["127.0.0.1", "127.0.0.9", "::1"])("%s answers", async (connectIp) => {
    expect(await probePing(pingConfig({ connectIp }))).toMatchObject({ ok: true, detail: "echo reply" });
  });

  it("many at a time: each gets its own answer", async () => {
    const probes = Array.from({ length: 60 }, (_, n) =>
      probePing(pingConfig({ connectIp: n % 3 === 0 ? "::1" : `127.0.0.${n + 1}` })),
    );
    for (const result of await Promise.all(probes)) expect(result).toMatchObject({ ok: true });
  });

  it("one that fails does not fail the others", async () => {
    const [lost, found] = await Promise.all([
      probePing(pingConfig({ connectIp: "192.0.2.1", bindTo: "127.0.0.1", connectTimeout: ms(100) })),
      probePing(pingConfig()),
    ]);
    expect([lost.ok, found.ok]).toEqual([false, true]);
  });

  it("a bindto that is not here is our trouble", async () => {
    expect(await probePing(pingConfig({ bindTo: "192.0.2.77" }))).toMatchObject({
      ok: false,
      reason: "local-error",
    });
  });

  it("aborted or not, no descriptor and no poll is left", async () => {
    const before = openDescriptors();
    for (let i = 0; i < 10; i++) {
      await Promise.all([probePing(pingConfig()), probePing(pingConfig(), AbortSignal.abort())]);
    }
    const controller = new AbortController();
    const during = probePing(pingConfig(), controller.signal);
    controller.abort();
    expect(await during).toMatchObject({ detail: "probe cancelled" });
    await until(() => openDescriptors() <= before);
  });
});
