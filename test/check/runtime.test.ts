/** The lvs process with the userspace dataplane: what checkers say reaches the table. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/load.ts";
import { LvsRuntime } from "../../src/daemon/lvs/runtime.ts";
import type { FromLvs } from "../../src/daemon/messages.ts";
import { closedPort, onCleanup, until } from "./probes/servers.ts";

async function running(server: string, fdLimit = 20_000, more = "") {
  const port = await closedPort();
  const text = `
virtual_server:
  127.0.0.77 ${port}:
    delay_loop: 50ms
    warmup: 0
    lb_algo: rr
    real_server:
      127.0.0.78 ${port}:
        weight: 40
${server.replace(/^/gm, "        ")}
${more}`;
  const parsed = parseConfig(text, "t.yaml", { hostname: "x" });
  if (!parsed.ok) throw new Error(parsed.problems.map((p) => p.message).join());
  const sent: FromLvs[] = [];
  const logged: string[] = [];
  const runtime = new LvsRuntime(
    (message) => sent.push(message),
    (level, text) => logged.push(`${level}: ${text}`),
    fdLimit,
  );
  onCleanup(() => runtime.stop(true));
  await runtime.configure({
    type: "configure",
    config: parsed.config,
    dataplane: "userspace",
    saved: [],
    ownedBefore: [],
  });
  const inTable = () => runtime.status().services[0]?.realServers[0];
  return { runtime, sent, logged, inTable };
}

describe("dynamic weights, spec checks 2", () => {
  it("FILE_CHECK's number moves the weight in the table and takes the server out", async () => {
    const dir = mkdtempSync(join(tmpdir(), "runtime-"));
    onCleanup(() => rmSync(dir, { recursive: true }));
    const path = join(dir, "load");
    writeFileSync(path, "-15");
    const { inTable, logged } = await running(
      `FILE_CHECK: { track_file: ${path}, dynamic: true, delay_loop: 1h }`,
    );
    const told = (text: string) => until(() => logged.some((line) => line.includes(text)));
    await told("Changing weight from 40 to 25 for service");
    writeFileSync(path, "2");
    await told("Changing weight from 25 to 42 for service");
    await until(() => inTable()?.weight === 42);
    writeFileSync(path, "-65536");
    await told("Removing service");
  });

  it("misc_dynamic sets it, and several checkers add up", async () => {
    const { inTable } = await running(
      `MISC_CHECK:
  - { misc_path: ["/bin/sh", "-c", "exit 52"], misc_dynamic: true }
  - { misc_path: ["/bin/sh", "-c", "exit 32"], misc_dynamic: true }`,
    );
    // 40 + (50 - 40) + (30 - 40)
    await until(
      () => inTable()?.weight === 40 && inTable()?.checkers.every((c) => c.verdict === "up") === true,
    );
  });
});

describe("descriptor budget at start, spec checks 4", () => {
  it("too little is refused with the numbers", async () => {
    const checkers = Array.from({ length: 60 }, () => "{ connect_timeout: 1m }").join(", ");
    const { sent } = await running(`TCP_CHECK: [ ${checkers} ]`, 64);
    expect(sent.find((message) => message.type === "table")).toMatchObject({
      fatal: expect.stringMatching(/60 checkers may hold 60 descriptors.*RLIMIT_NOFILE 64.*leaves 32/),
    });
  });

  it("enough is not", async () => {
    const { sent } = await running("TCP_CHECK: {}");
    expect(sent.find((message) => message.type === "table")).not.toHaveProperty("fatal");
  });
});

describe("log_all_failures", () => {
  it("failures that are retried are told, too; the last one as the verdict it makes", async () => {
    const server = createServer((socket) => socket.end().on("error", () => undefined));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const keys = `connect_ip: 127.0.0.1, connect_port: ${port}, retry: 2, delay_before_retry: 10ms`;
    const { logged } = await running(`TCP_CHECK: { ${keys}, log_all_failures: true }`);
    await until(() => logged.some((line) => line.includes(" is up ")));
    server.close();
    await until(() => logged.some((line) => line.includes(" is down ")));
    const still = logged.filter((line) => line.includes("failed (refused: connection refused), still up"));
    expect(still).toHaveLength(2);
  });
});
