/** authentication { auth_type, auth_pass }. The password's value is shown nowhere. */
import { readBlock } from "./block.ts";
import type { Context } from "./context.ts";
import type { VrrpAuth } from "./model.ts";
import { child, findEntry, isMap, isScalar, type MapNode, type Ref } from "./nodes.ts";
import { schemas } from "./schema.ts";

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
  const keys = readBlock(ref, schemas().authentication, problems);
  if (keys === undefined) return none;
  if (version === 3) {
    problems.error({
      offset: ref.at,
      message: "authentication in a version 3 instance: VRRP version 3 has none",
      hint: "remove the block, or set version: 2 on every router of this virtual_router_id",
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

function readPass(ref: Ref<MapNode>, context: Context): string | undefined {
  const { problems } = context;
  const pass = child(ref, "auth_pass");
  const fail = (message: string, hint?: string): undefined => {
    problems.error({ offset: pass?.at ?? ref.at, message, hint, via: pass?.via ?? ref.via });
    return undefined;
  };
  const hint = "auth_pass: text, { file: PATH } or { env: NAME }";
  if (pass === undefined) return fail("auth_type PASS needs auth_pass", hint);
  if (isScalar(pass))
    return pass.node.text === "" ? fail("auth_pass is empty", hint) : checkText(pass.node.text, fail);
  const entry = isMap(pass) && pass.node.entries.length === 1 ? pass.node.entries[0] : undefined;
  if (entry?.value.kind !== "scalar" || (entry.key !== "file" && entry.key !== "env"))
    return fail("auth_pass is not text", hint);
  const source = entry.value.text;
  if (entry.key === "env") {
    const value = context.options.env?.[source];
    return value === undefined || value === ""
      ? fail(`auth_pass: the environment has no ${source.slice(0, 60)}`)
      : checkText(value, fail);
  }
  try {
    const value = context.options.readSecretFile?.(source).replace(/\r?\n$/, "");
    return value === undefined || value === ""
      ? fail("auth_pass: the file is empty")
      : checkText(value, fail);
  } catch (error) {
    return fail(`auth_pass: ${error instanceof Error ? error.message : "the file can't be read"}`);
  }
}

function checkText(text: string, fail: (message: string) => undefined): string | undefined {
  return text.includes("\0") ? fail("auth_pass contains a NUL byte") : text;
}
