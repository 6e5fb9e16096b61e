import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { translatePcre } from "../../../src/check/pcre.ts";
import { MAX_BODY_BYTES, probeHttp } from "../../../src/check/probes/http.ts";
import type { BodyRegex, HttpGetConfig, HttpUrlConfig } from "../../../src/config/model.ts";
import { ms } from "../../../src/units.ts";
import { httpConfig } from "../support.ts";
import { answering, listen, onRequest } from "./servers.ts";

const url = (over: Partial<HttpUrlConfig> = {}): HttpUrlConfig => ({
  path: "/",
  statusCodes: [[200, 299]],
  ...over,
});
const to = (port: number, one: Partial<HttpUrlConfig>, over: Partial<HttpGetConfig> = {}): HttpGetConfig =>
  httpConfig({
    connectIp: "127.0.0.1",
    connectPort: port,
    connectTimeout: ms(2_000),
    urls: [url(one)],
    ...over,
  });
const serving = (body: string | Buffer): Promise<number> => {
  const bytes = Buffer.from(body);
  return answering(
    Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n`), bytes]),
  );
};
const regex = (text: string, options: readonly string[] = [], over: Partial<BodyRegex> = {}): BodyRegex => {
  const translated = translatePcre(text, options);
  if ("problem" in translated) throw new Error(translated.problem);
  return { text, noMatch: false, ...translated, ...over };
};

describe("digest, keepalived genhash", () => {
  const digest = (algorithm: "md5" | "sha256", body: string) => ({
    digest: { algorithm, hex: createHash(algorithm).update(body).digest("hex") },
  });

  it.each(["md5", "sha256"] as const)("%s of the body, as it comes in pieces", async (algorithm) => {
    const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
    for (const port of [await serving("hello"), await answering(chunked)])
      expect(await probeHttp(to(port, digest(algorithm, "hello")), 0)).toMatchObject({ ok: true });
  });

  it("a body that changed", async () => {
    const result = await probeHttp(to(await serving("hallo"), digest("md5", "hello")), 0);
    expect(result).toMatchObject({
      ok: false,
      reason: "digest-differs",
      detail: `md5 of the body is ${createHash("md5").update("hallo").digest("hex")}`,
    });
  });

  it("the status counts first", async () => {
    const port = await answering("HTTP/1.1 500 x\r\nContent-Length: 5\r\n\r\nhello");
    expect(await probeHttp(to(port, digest("md5", "hello")), 0)).toMatchObject({ reason: "bad-status" });
  });

  it("a body above the cap has no digest", async () => {
    const port = await serving(Buffer.alloc(MAX_BODY_BYTES + 1, "x"));
    expect(await probeHttp(to(port, digest("md5", "x")), 0)).toMatchObject({ reason: "body-too-large" });
  });
});

describe("regex, keepalived's options", () => {
  it.each([
    ["found", regex("st.tus=ok"), true],
    ["not found", regex("status=bad"), false],
    ["regex_no_match found", regex("status", [], { noMatch: true }), false],
    ["regex_no_match not found", regex("error", [], { noMatch: true }), true],
    ["caseless", regex("STATUS=OK", ["caseless"]), true],
    ["min_offset before the match", regex("status", [], { minOffset: 3 }), true],
    ["min_offset behind the match", regex("db", [], { minOffset: 1 }), false],
    ["max_offset at the match", regex("status", [], { maxOffset: 5 }), true],
    ["max_offset before the match", regex("status", [], { maxOffset: 4 }), false],
    ["utf: offsets are bytes", regex("b", ["utf"], { minOffset: 14, maxOffset: 14 }), true],
    ["bytes: a character of two bytes is two", regex("é", [], { minOffset: 12, maxOffset: 12 }), true],
  ])("%s", async (_name, one, ok) => {
    // "é" is at bytes 12 and 13.
    const result = await probeHttp(to(await serving("db: \nstatus=\u00e9b status=ok"), { regex: one }), 0);
    expect(result).toMatchObject(ok ? { ok } : { ok, reason: "regex-mismatch" });
  });

  it("a catastrophic expression costs its own check only: it fails in time, others go on meanwhile", async () => {
    const bad = to(await serving(`${"a".repeat(40)}!`), { regex: regex("^(a+)+$") });
    const good = to(await serving("fine"), { regex: regex("fine") });
    let turns = 0;
    const ticking = setInterval(() => turns++, 5);
    const results = await Promise.all([probeHttp(bad, 0), probeHttp(good, 0), probeHttp(bad, 0)]);
    clearInterval(ticking);
    expect(results).toMatchObject([
      { ok: false, reason: "regex-timeout" },
      { ok: true },
      { ok: false, reason: "regex-timeout" },
    ]);
    // The event loop was never held up for the length of a match.
    expect(turns).toBeGreaterThan(10);
  });
});

describe("method, headers, redirects", () => {
  async function recording(answers: (head: string) => string): Promise<{ port: number; heads: string[] }> {
    const heads: string[] = [];
    const port = await listen((socket) =>
      onRequest(socket, (head) => {
        heads.push(head);
        socket.end(answers(head), "latin1");
      }),
    );
    return { port, heads };
  }
  const OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

  it("HEAD has no body, whatever Content-Length says", async () => {
    const port = await answering("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n", true);
    expect(await probeHttp(to(port, { method: "HEAD" }), 0)).toMatchObject({ ok: true });
  });

  it("headers are added, and replace ours of the same name", async () => {
    const { port, heads } = await recording(() => OK);
    const headers = [
      ["X-Check", "1"],
      ["user-agent", "other"],
    ] as const;
    await probeHttp(to(port, { method: "POST", headers }), 0);
    expect(heads[0]).toMatch(/^POST \/ HTTP\/1\.1\r\n/);
    expect(heads[0]).toContain("\r\nX-Check: 1\r\n");
    expect(heads[0]).toContain("\r\nuser-agent: other\r\n");
    expect(heads[0]).toContain("\r\nContent-Length: 0\r\n");
    expect(heads[0]).not.toContain("vipward");
  });

  it.each([
    ["1.0", "HTTP/1.0", false],
    ["1.0C", "HTTP/1.0", true],
    ["1.1", "HTTP/1.1", true],
  ] as const)("http_protocol %s", async (httpProtocol, version, close) => {
    const { port, heads } = await recording(() => OK);
    await probeHttp(to(port, {}, { httpProtocol }), 0);
    expect(heads[0]).toContain(`GET / ${version}\r\n`);
    expect(heads[0]?.includes("Connection: close")).toBe(close);
  });

  it("follow: on the same real server, whatever host the redirect names", async () => {
    const { port, heads } = await recording((head) =>
      head.startsWith("GET /a ")
        ? "HTTP/1.1 301 x\r\nLocation: http://www.example.org/b?c=1\r\nContent-Length: 0\r\n\r\n"
        : OK,
    );
    const result = await probeHttp(to(port, { path: "/a", follow: 1 }), 0);
    expect(result).toMatchObject({ ok: true });
    expect(heads[1]).toMatch(/^GET \/b\?c=1 HTTP\/1\.1\r\nHost: www\.example\.org\r\n/);
  });

  it.each([
    ["a loop ends at the limit", "/a", 3, 4],
    ["another scheme is not followed", "https://www.example.org/", 3, 1],
    ["no redirect is followed unless asked", "/b", 0, 1],
    ["a Location that is none", "http://[", 3, 1],
  ])("%s", async (_name, location, follow, requests) => {
    const { port, heads } = await recording(
      () => `HTTP/1.1 302 x\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`,
    );
    const result = await probeHttp(to(port, { path: "/a", follow }), 0);
    expect(result).toMatchObject({ ok: false, reason: "bad-status", detail: "status 302" });
    expect(heads).toHaveLength(requests);
  });
});
