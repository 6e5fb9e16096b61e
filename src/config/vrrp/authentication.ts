/** authentication { auth_type, auth_pass }. The password's value is shown nowhere. */
import { readBlock } from "../block.ts";
import type { Context } from "../context.ts";
import type { VrrpAuth } from "../model.ts";
import { child, findEntry, isMap, type MapNode, type Ref } from "../nodes.ts";
import { schemas } from "../schema.ts";
import { readSecret } from "./secret-value.ts";

/** Version 2 packets carry 8 bytes (RFC 2338 5.3.10). */
const PASS_BYTES = 8;

/** `version` is undefined when the instance's own keys could not be read. */
export function readAuthentication(ref: Ref, version: 2 | 3 | undefined, context: Context): VrrpAuth {
  const { problems } = context;
  const none = { type: "none" } as const;
  if (!isMap(ref)) {
    problems.error({
      offset: ref.at,
      message: "authentication is a block",
      hint: "authentication: { auth_type: PASS, auth_pass: ... }",
      via: ref.via,
    });
    return none;
  }
  if (refusedTypes(ref, context)) return none;
  const keys = readBlock(ref, schemas().authentication, problems);
  if (keys === undefined) return none;
  if (version === 3) {
    problems.error({
      offset: ref.at,
      message: "authentication in a version 3 instance: VRRP version 3 has none",
      hint: "use auth_hmac, or set version: 2 on every router of this virtual_router_id",
      via: ref.via,
    });
    return none;
  }
  if (keys.auth_type === "AH") {
    problems.error({
      offset: findEntry(ref.node, "auth_type")!.value.offset,
      message: "auth_type AH is not supported: RFC 3768 withdrew it",
      hint: "use auth_type: PASS on every router of this virtual_router_id",
      via: ref.via,
    });
    return none;
  }
  const pass = readPass(ref, context);
  if (pass === undefined) return none;
  const entry = findEntry(ref.node, "auth_pass")!;
  const place = { offset: entry.keyOffset, via: entry.via ?? ref.via };
  if (new TextEncoder().encode(pass).length > PASS_BYTES)
    problems.warn("pass-length", {
      ...place,
      message: `auth_pass is longer than ${PASS_BYTES} bytes: only the first ${PASS_BYTES} are sent and compared`,
      hint: `shorten it to ${PASS_BYTES} bytes, so that what is written is what is used`,
    });
  problems.warn("pass", {
    ...place,
    message: "auth_pass travels in clear text and does not stop an attacker on the same network",
    hint: "it keeps routers with another password apart, no more",
  });
  return { type: "PASS", pass };
}

/** keepalived.conf's `auth_type PASS` and `auth_type AH` in one block are a list here. */
function refusedTypes(ref: Ref<MapNode>, { problems }: Context): boolean {
  const types = child(ref, "auth_type");
  if (types?.node.kind !== "list") return false;
  const written = types.node.items.map(({ node }) => (node.kind === "scalar" ? node.text.toUpperCase() : ""));
  if (!written.includes("AH") || !written.includes("PASS")) return false;
  problems.error({
    offset: types.at,
    message: "AH and PASS together: an instance has one authentication",
    hint: "keep auth_type: PASS; AH is not supported (RFC 3768 withdrew it)",
    via: types.via,
  });
  return true;
}

function readPass(ref: Ref<MapNode>, context: Context): string | undefined {
  const { problems } = context;
  const pass = child(ref, "auth_pass");
  const fail = (message: string, hint?: string): undefined => {
    problems.error({ offset: pass?.at ?? ref.at, message, hint, via: pass?.via ?? ref.via });
    return undefined;
  };
  const hint = "auth_pass: text, { file: PATH } or { env: NAME }";
  return pass === undefined
    ? fail("auth_type PASS needs auth_pass", hint)
    : readSecret(pass.node, { what: "auth_pass", hint }, context, fail);
}
