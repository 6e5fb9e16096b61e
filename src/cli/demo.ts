import { handOverSignals } from "./early-signals.ts";

/** `vipward demo`, and the parts it plays in its own namespaces (hidden options). */
export interface DemoOptions {
  readonly dataplane: string;
  readonly entries: URL;
  readonly inside?: boolean;
  readonly web?: string;
  readonly client?: string;
  readonly every?: string;
  readonly timeout?: string;
}

export async function demoCommand(options: DemoOptions): Promise<number> {
  if (options.web !== undefined) return (await import("../demo/web.ts")).serveWeb(options.web);
  if (options.client !== undefined) {
    const { requestForever } = await import("../demo/client.ts");
    return requestForever(options.client, Number(options.every), Number(options.timeout));
  }
  if (!options.inside) return (await import("../demo/launch.ts")).launch(options);
  const { Story } = await import("../demo/story.ts");
  handOverSignals();
  // As process 1 of the namespace: ending takes everything with it.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
  const status = await new Story(new URL("main.js", options.entries).pathname, options.dataplane).tell();
  process.exit(status);
}
