import type { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { probeSmtp } from "../../../src/check/probes/smtp.ts";
import type { ProbeTls, SmtpCheckConfig } from "../../../src/config/model.ts";
import { ms } from "../../../src/units.ts";
import { smtpConfig } from "../support.ts";
import { closedPort, listen, openDescriptors, pem, tlsServer, until } from "./servers.ts";

const to = (port: number, over: Partial<SmtpCheckConfig> = {}): SmtpCheckConfig =>
  smtpConfig({ hosts: [{ connectIp: "127.0.0.1", connectPort: port }], ...over });
const hasty = (port: number): SmtpCheckConfig => to(port, { connectTimeout: ms(120) });

type Answers = Readonly<Record<string, string>>;
const HONEST: Answers = {
  greeting: "220 mx ESMTP",
  HELO: "250 mx",
  EHLO: "250-mx\r\n250 STARTTLS",
  QUIT: "221 bye",
};

/** Speaks SMTP line by line; `lines` gets what it was told. */
function converse(socket: Socket, answers: Answers, lines: string[], greet = true): void {
  if (greet) socket.write(`${answers.greeting}\r\n`);
  let rest = "";
  socket.on("data", (chunk: Buffer) => {
    const parts = (rest + chunk.toString("latin1")).split("\r\n");
    rest = parts.pop() ?? "";
    for (const line of parts) {
      lines.push(line);
      const verb = line.split(" ")[0] ?? "";
      const reply = answers[verb];
      if (reply !== undefined) socket.write(`${reply}\r\n`);
      if (verb === "QUIT") socket.end();
    }
  });
}
async function server(answers: Answers): Promise<{ port: number; lines: string[] }> {
  const lines: string[] = [];
  return { port: await listen((socket) => converse(socket, answers, lines)), lines };
}

describe("SMTP_CHECK, spec checks 2", () => {
  it("220, HELO helo_name, 250, QUIT", async () => {
    const { port, lines } = await server(HONEST);
    expect(await probeSmtp(to(port))).toMatchObject({ ok: true });
    expect(lines).toEqual(["HELO lb.example.org", "QUIT"]);
  });

  it("a reply of several lines", async () => {
    const { port } = await server({ ...HONEST, greeting: "220-mx\r\n220-rules\r\n220 go" });
    expect(await probeSmtp(to(port))).toMatchObject({ ok: true });
  });

  it.each([
    ["greeting", "554 no service", "greeting answered 554 no service"],
    ["greeting", "421 too busy", "greeting answered 421 too busy"],
    ["HELO", "550 go away", "HELO answered 550 go away"],
  ])("%s %s", async (step, reply, detail) => {
    const { port } = await server({ ...HONEST, [step]: reply });
    expect(await probeSmtp(to(port))).toMatchObject({ ok: false, reason: "bad-status", detail });
  });

  it("several hosts: all must answer, and the one that does not is named", async () => {
    const { port } = await server(HONEST);
    const bad = await closedPort();
    const host = (connectPort: number, connectIp = "127.0.0.1") => ({ connectIp, connectPort });
    const good = to(0, { hosts: [host(port), host(port)] });
    expect(await probeSmtp(good)).toMatchObject({ ok: true });
    expect(await probeSmtp(to(0, { hosts: [host(port), host(bad, "127.0.0.2")] }))).toMatchObject({
      ok: false,
      reason: "refused",
      detail: "127.0.0.2: connection refused",
    });
  });
});

describe("SMTP_CHECK with starttls (RFC 3207)", () => {
  function secureServer(certificate: string, lines: string[], early = ""): Promise<number> {
    return listen((socket) => {
      socket.write("220 mx\r\n");
      const onData = (chunk: Buffer): void => {
        const line = chunk.toString("latin1").trim();
        lines.push(line);
        if (line.startsWith("EHLO")) socket.write("250-mx\r\n250 STARTTLS\r\n");
        if (line !== "STARTTLS") return;
        socket.off("data", onData);
        socket.write(`220 go\r\n${early}`, () =>
          converse(tlsServer(socket, certificate), HONEST, lines, false),
        );
      };
      socket.on("data", onData);
    });
  }
  const starttls = (port: number, tls: ProbeTls) => to(port, { starttls: tls });

  it("EHLO before and after", async () => {
    const lines: string[] = [];
    const port = await secureServer("selfsigned", lines);
    expect(await probeSmtp(starttls(port, { verify: false }))).toMatchObject({ ok: true });
    expect(lines).toEqual(["EHLO lb.example.org", "STARTTLS", "EHLO lb.example.org", "QUIT"]);
  });

  it("verify", async () => {
    const tls = { verify: true, ca: pem("ca"), verifyName: "127.0.0.1" };
    expect(await probeSmtp(starttls(await secureServer("good", []), tls))).toMatchObject({ ok: true });
    const expired = await probeSmtp(starttls(await secureServer("expired", []), tls));
    expect(expired).toMatchObject({ ok: false, reason: "cert-expired" });
  });

  it("a server without STARTTLS", async () => {
    const { port } = await server({ ...HONEST, STARTTLS: "502 not implemented" });
    expect(await probeSmtp(starttls(port, { verify: false }))).toMatchObject({
      ok: false,
      reason: "bad-status",
      detail: "STARTTLS answered 502 not implemented",
    });
  });

  it("replies sent in clear behind the 220 are refused, not believed", async () => {
    const port = await secureServer("good", [], "250 mx\r\n");
    expect(await probeSmtp(starttls(port, { verify: false }))).toMatchObject({
      ok: false,
      reason: "protocol-error",
    });
  });
});

describe("SMTP_CHECK against hostile servers, spec checks 3", () => {
  it.each([
    ["silence", () => undefined, "timeout-response"],
    ["a greeting that never ends", (s: Socket) => drip(s, "220-x"), "timeout-response"],
    ["closed at once", (s: Socket) => s.end(), "closed-early"],
    ["HTTP", (s: Socket) => s.write("HTTP/1.1 400 Bad Request\r\n\r\n"), "protocol-error"],
    ["an endless line", (s: Socket) => s.write("2".repeat(100_000)), "protocol-error"],
    ["endless lines", (s: Socket) => s.write("220-x\r\n".repeat(20_000)), "protocol-error"],
    ["two codes in one reply", (s: Socket) => s.write("220-x\r\n250 y\r\n"), "protocol-error"],
    ["RST", (s: Socket) => setTimeout(() => s.resetAndDestroy(), 10), "reset"],
  ])("%s", async (_name, act, reason) => {
    const port = await listen((socket) => {
      socket.resume();
      act(socket);
    });
    expect(await probeSmtp(hasty(port))).toMatchObject({ ok: false, reason });
  });

  it("terminal escapes of the server don't get into our log", async () => {
    const { port } = await server({ ...HONEST, greeting: "554 \x1b[2Jgone" });
    expect(await probeSmtp(to(port))).toMatchObject({ detail: "greeting answered 554 ?[2Jgone" });
  });

  it("no descriptor is left", async () => {
    const { port } = await server(HONEST);
    const silent = await listen((socket) => socket.resume());
    const before = openDescriptors();
    await Promise.all(Array.from({ length: 40 }, (_, n) => probeSmtp(hasty(n % 2 ? port : silent))));
    await until(() => openDescriptors() <= before);
  });
});

function drip(socket: Socket, text: string): void {
  const timer = setInterval(() => socket.write(`${text}\r\n`), 5);
  socket.on("close", () => clearInterval(timer));
}
