import { describe, expect, it } from "vitest";
import { HttpResponseReader, MAX_HEADER_BYTES } from "../../src/check/http-response.ts";

const bytes = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));

function read(text: string, options: { close?: boolean; max?: number } = {}) {
  let body = "";
  const reader = new HttpResponseReader(options.max ?? 1_000, (chunk) => {
    body += String.fromCharCode(...chunk);
  });
  reader.push(bytes(text));
  if (options.close) reader.end();
  return { reader, body, phase: reader.phase, status: reader.status, reason: reader.failure?.reason };
}

describe("framing, RFC 9112 6.3", () => {
  it("content-length", () => {
    expect(read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")).toMatchObject({
      phase: "done",
      status: 200,
      body: "hello",
    });
  });

  it("content-length: bytes beyond it are ignored", () => {
    expect(read("HTTP/1.1 200 OK\r\ncontent-length:5\r\n\r\nhello world").body).toBe("hello");
  });

  it("content-length: 0 needs no body", () => {
    expect(read("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").phase).toBe("done");
  });

  it("HTTP/1.0 without a length: up to the close", () => {
    const text = "HTTP/1.0 200 OK\r\n\r\nhello";
    expect(read(text).phase).toBe("body");
    expect(read(text, { close: true })).toMatchObject({ phase: "done", body: "hello" });
  });

  it("chunked, with extension and trailer", () => {
    const text =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n";
    expect(read(text)).toMatchObject({ phase: "done", body: "hello!" });
  });

  it("chunked overrides content-length", () => {
    const text = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n0\r\n\r\n";
    expect(read(text).phase).toBe("done");
  });

  it("a transfer coding that is not chunked at the end lasts to the close", () => {
    const text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\nContent-Length: 1\r\n\r\nabc";
    expect(read(text, { close: true })).toMatchObject({ phase: "done", body: "abc" });
  });

  it.each([204, 304, 101])("%i has no body", (status) => {
    expect(read(`HTTP/1.1 ${status} x\r\nContent-Length: 5\r\n\r\n`)).toMatchObject({
      phase: "done",
      status,
    });
  });

  it("interim responses are skipped (RFC 9110 15.2)", () => {
    const text =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
    expect(read(text)).toMatchObject({ phase: "body", status: 200 });
  });

  it("the body is cut at the cap, whatever the framing", () => {
    for (const head of ["Content-Length: 50", "Transfer-Encoding: chunked", "X: y"]) {
      const body = head.startsWith("T") ? `32\r\n${"x".repeat(50)}` : "x".repeat(50);
      const { reader, body: seen } = read(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n${body}`, { max: 10 });
      expect([reader.phase, reader.capped, seen]).toEqual(["done", true, "x".repeat(10)]);
    }
  });

  it("RFC 9112 2.2: a bare LF ends a line too", () => {
    expect(read("HTTP/1.1 200\nContent-Length: 2\n\nok")).toMatchObject({ phase: "done", body: "ok" });
  });

  it("RFC 9112 5.2: a folded line of a field that does not matter is skipped", () => {
    expect(read("HTTP/1.1 200 OK\r\nX: a\r\n  b\r\nContent-Length: 0\r\n\r\n").phase).toBe("done");
  });
});

describe("hostile servers, spec checks 3", () => {
  it.each([
    ["garbage", "\u0016\u0003\u0001 tls?\r\n"],
    ["another protocol", "220 mail.example.org ESMTP\r\n"],
    ["HTTP/2", "HTTP/2.0 200 OK\r\n"],
    ["no status", "HTTP/1.1 OK\r\n"],
    ["four digits", "HTTP/1.1 2000 OK\r\n"],
    ["status below 100", "HTTP/1.1 099 OK\r\n"],
    ["line without colon", "HTTP/1.1 200 OK\r\nnonsense\r\n"],
    ["space before the colon (RFC 9112 5.1)", "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n"],
    ["fold before any field", "HTTP/1.1 200 OK\r\n X: y\r\n"],
    ["folded content-length", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n 0\r\n"],
    ["NUL in a field", "HTTP/1.1 200 OK\r\nX: a\u0000b\r\n"],
    ["stray CR", "HTTP/1.1 200 OK\r\nX: a\rb\r\n"],
    ["negative length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n"],
    ["list of lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n"],
    ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n"],
    ["huge length", `HTTP/1.1 200 OK\r\nContent-Length: ${"9".repeat(30)}\r\n`],
    ["chunk size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"],
    ["huge chunk size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffff\r\n"],
    ["chunk overrun", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n"],
  ])("%s is a protocol error", (_name, text) => {
    expect(read(text)).toMatchObject({ phase: "failed", reason: "protocol-error" });
  });

  it.each([
    ["status line", "x".repeat(MAX_HEADER_BYTES + 1)],
    ["one header", `HTTP/1.1 200 OK\r\nX: ${"y".repeat(MAX_HEADER_BYTES)}`],
    ["endless headers", `HTTP/1.1 200 OK\r\n${"X: y\r\n".repeat(4_000)}`],
    ["flood of 100 Continue", "HTTP/1.1 100 Continue\r\n\r\n".repeat(1_000)],
    ["chunk extension", `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;${"x".repeat(20_000)}`],
    ["trailers", `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${"X: y\r\n".repeat(4_000)}`],
  ])("too long: %s", (_name, text) => {
    expect(read(text)).toMatchObject({ phase: "failed", reason: "headers-too-large" });
  });

  it("headers of the limit's length are accepted", () => {
    const start = "HTTP/1.1 200 OK\r\nX: ";
    const end = "\r\n\r\n";
    const fill = "y".repeat(MAX_HEADER_BYTES - start.length - end.length);
    expect(read(start + fill + end).phase).toBe("body");
    expect(read(`${start}y${fill}${end}`).reason).toBe("headers-too-large");
  });

  it.each([
    ["at once", ""],
    ["in the status line", "HTTP/1."],
    ["in the headers", "HTTP/1.1 200 OK\r\nX:"],
    ["after a 100 Continue", "HTTP/1.1 100 Continue\r\n\r\n"],
    ["in a body shorter than content-length", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhi"],
    ["in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi"],
    ["before the last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"],
  ])("closed %s", (_name, text) => {
    expect(read(text, { close: true })).toMatchObject({ phase: "failed", reason: "closed-early" });
  });

  it("what it quotes of the peer is short and printable", () => {
    const detail = read(`\u00e9${"x".repeat(500)}\r\n`).reader.failure?.detail ?? "";
    expect(detail.length).toBeLessThan(120);
    expect(detail).toContain("not an HTTP/1.x status line");
  });
});
