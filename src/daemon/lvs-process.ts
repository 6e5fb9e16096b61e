/**
 * Entry of the lvs process:
 *
 *   supervisor --ToLvs--> LvsRuntime --FromLvs--> supervisor
 *
 * When the supervisor is gone it leaves the table as it is: traffic goes on, and the next run adopts it.
 */
import { applyDelta } from "../config/delta.ts";
import { raiseFdLimit } from "../net/fds.ts";
import { unreachable } from "../result.ts";
import { ignoreSignals, openParentChannel } from "./ipc.ts";
import { LvsRuntime } from "./lvs/runtime.ts";
import type { FromLvs, ToLvs } from "./messages.ts";

ignoreSignals();
process.title = "vipward: lvs";

const channel = openParentChannel<ToLvs, FromLvs>(
  (message) => {
    receive(message).catch((error: unknown) => {
      channel.log("fatal", `lvs process: ${error instanceof Error ? error.stack : String(error)}`);
      process.exitCode = 1;
      setTimeout(() => process.exit(1), 50);
    });
  },
  () => {
    void runtime.stop(false).finally(() => process.exit(1));
  },
);
const runtime = new LvsRuntime((message) => channel.send(message), channel.log, raiseFdLimit().soft);

let last: (ToLvs & { type: "configure" }) | undefined;

async function receive(message: ToLvs): Promise<void> {
  switch (message.type) {
    case "configure":
      last = message;
      return runtime.configure(message);
    case "change":
      return runtime.configure(changed(message));
    case "status":
      return channel.send({ type: "status", id: message.id, lvs: runtime.status() });
    case "stop":
      await runtime.stop(message.remove);
      process.send?.({ type: "stopped" } satisfies FromLvs, () => process.exit(0));
      return;
    default:
      return unreachable(message);
  }
}

/** What the supervisor would have sent in full. Verdicts saved by an earlier run were for the first time only. */
function changed({ config, services }: ToLvs & { type: "change" }): ToLvs & { type: "configure" } {
  if (!last) throw new Error("a change of configuration came before the configuration");
  last = { ...last, saved: [], config: { ...config, services: applyDelta(last.config.services, services) } };
  return last;
}

channel.send({ type: "hello" });
setInterval(() => channel.send({ type: "pulse" }), 1_000).unref();
