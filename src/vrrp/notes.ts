/** What is worth an event and a log line about an accepted advertisement, and its words. */
import { unreachable } from "../result.ts";
import type { AdvertNote } from "./advert.ts";

/** Told once per peer and state. */
export type Note =
  | { readonly what: AdvertNote; readonly source: string }
  | { readonly what: "lower-master"; readonly source: string; readonly priority: number }
  | { readonly what: "same-address"; readonly source: string };

export function noteText(note: Note): readonly ["info" | "warn", string] {
  const { source } = note;
  switch (note.what) {
    case "vip-list-differs":
      return ["warn", `${source} advertises other addresses than this instance has; it may ignore ours`];
    case "foreign-addresses":
      return [
        "warn",
        `${source} advertises none of our addresses: probably another virtual router with our virtual_router_id`,
      ];
    case "no-addresses":
      return ["warn", `${source} advertises no addresses`];
    case "first-address-not-link-local":
      return [
        "warn",
        `the first IPv6 address ${source} advertises is not link-local; a strict router ignores it`,
      ];
    case "interval-differs":
      return ["warn", `${source} advertises another interval; following it while in BACKUP`];
    case "owner-conflict":
      return ["warn", `${source} also claims to be the address owner (priority 255)`];
    case "hmac-missing":
      return ["warn", `${source} does not sign its advertisements; mode enforce would ignore it`];
    case "lower-master":
      return ["info", `${source} is master with lower priority ${note.priority}`];
    case "same-address":
      return ["warn", `${source} has our own address and priority: two routers share one address`];
    default:
      return unreachable(note);
  }
}
