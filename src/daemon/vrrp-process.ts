/**
 * Entry of the vrrp process:
 *
 *   supervisor --ToVrrp--> VrrpRuntime --FromVrrp--> supervisor
 *
 * It leaves by `stop`, or by itself when the supervisor is gone: either way with priority 0 and its
 * VIPs removed.
 */
import { enterRealtime } from "../net/realtime.ts";
import { unreachable } from "../result.ts";
import { ignoreSignals, openParentChannel } from "./ipc.ts";
import type { FromVrrp, ToVrrp } from "./messages.ts";
import { VrrpRuntime } from "./vrrp/runtime.ts";

ignoreSignals();
process.title = "vipward: vrrp";

const channel = openParentChannel<ToVrrp, FromVrrp>(receive, () => {
  runtime.orphaned();
  process.exit(1);
});
const runtime = new VrrpRuntime((message) => channel.send(message), channel.log);

function receive(message: ToVrrp): void {
  switch (message.type) {
    case "configure":
      runtime.configure(message);
      if (message.global.realtime) becomeRealtime();
      return;
    case "services":
      return runtime.setServices(message.services);
    case "tracker":
      return runtime.updateTracker(message.update);
    case "status":
      return channel.send({ type: "status", id: message.id, ...runtime.status() });
    case "stop":
      runtime.stop(message.reason);
      process.send?.({ type: "stopped" } satisfies FromVrrp, () => process.exit(0));
      return;
    default:
      return unreachable(message);
  }
}

let realtime = false;
function becomeRealtime(): void {
  if (realtime) return;
  realtime = true;
  const { problems } = enterRealtime();
  for (const problem of problems) channel.log("warn", problem);
  // The pool thread that waits in ppoll may be born after the first call.
  setTimeout(() => enterRealtime(), 1_000).unref();
}

channel.send({ type: "hello" });
runtime.start();
