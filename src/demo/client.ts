/** The demo's client: a new connection every `every` ms whatever became of the last; results go to the parent. */
import { get } from "node:http";
import type { Outcome } from "./measure.ts";

export function requestForever(url: string, every: number, timeout: number): Promise<number> {
  process.on("disconnect", () => process.exit(0));
  setInterval(() => {
    void request(url, timeout).then((outcome) => process.send?.(outcome, () => {}));
  }, every);
  return new Promise(() => {});
}

function request(url: string, timeout: number): Promise<Outcome> {
  const started = now();
  return new Promise((resolve) => {
    const done = (server: string | undefined) =>
      resolve({ started, took: now() - started, ...(server === undefined ? {} : { server }) });
    const sent = get(url, { agent: false, signal: AbortSignal.timeout(timeout) }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (text: string) => {
        body += text;
      });
      response.on("end", () => done(response.statusCode === 200 ? body.trim() : undefined));
      response.on("error", () => done(undefined));
    });
    sent.on("error", () => done(undefined));
  });
}

/** CLOCK_MONOTONIC in ms: the same for every process of the machine. */
export const now = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000;
