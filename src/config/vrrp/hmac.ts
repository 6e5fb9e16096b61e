/** auth_hmac { key, active_key, anti_replay, time_window, mode }. The keys' values are shown nowhere. */
import { us } from "../../units.ts";
import { fromHex, hex } from "../../wire/hex.ts";
import { readBlock } from "../block.ts";
import type { Context } from "../context.ts";
import type { HmacConfig } from "../model.ts";
import { child, isMap, type MapNode, type Node, type Ref } from "../nodes.ts";
import { at, atKey, type Place, refuse } from "../place.ts";
import { schemas } from "../schema.ts";
import { readSecret } from "./secret-value.ts";

const MIN_BYTES = 32;
const MAX_BYTES = 64;
const MIN_WINDOW = 5_000_000;
const VALUE_HINT = "32 to 64 bytes: text, hex:..., file:PATH, or { file: PATH } / { env: NAME }";

/** `advertInterval` in microseconds; undefined when the instance's own keys could not be read. */
export function readHmac(
  ref: Ref,
  advertInterval: number | undefined,
  context: Context,
): HmacConfig | undefined {
  if (!isMap(ref))
    return refuse(
      { offset: ref.at, via: ref.via },
      context,
      "auth_hmac is a block",
      "auth_hmac: { key: { 1: hex:... }, active_key: 1 }",
    );
  const settings = readBlock(ref, schemas().hmac, context.problems);
  const keys = readKeys(ref, context);
  if (settings === undefined || keys === undefined) return undefined;
  const activeKey = settings.active_key ?? keys[0]!.id;
  if (!keys.some(({ id }) => id === activeKey))
    return refuse(at(ref, "active_key"), context, `active_key ${activeKey} is not among the keys`);
  return {
    keys,
    activeKey,
    antiReplay: settings.anti_replay ?? "time",
    timeWindow: us(settings.time_window ?? Math.max(3 * (advertInterval ?? 0), MIN_WINDOW)),
    mode: settings.mode ?? "enforce",
  };
}

interface WrittenKey {
  readonly id: string;
  readonly value: Node | string;
  readonly place: Place;
}

function readKeys(ref: Ref<MapNode>, context: Context): HmacConfig["keys"] | undefined {
  const key = child(ref, "key");
  if (key === undefined) return undefined;
  const written = listKeys(key);
  const place = atKey(ref, "key");
  if (written === undefined)
    return refuse(place, context, 'key takes { ID: VALUE } or a list of "ID VALUE"', VALUE_HINT);
  if (written.length === 0) return refuse(place, context, "auth_hmac needs a key", VALUE_HINT);
  const out: { id: number; key: string }[] = [];
  let wrong = false;
  for (const one of written) {
    const read = readKey(one, context);
    if (read === undefined) wrong = true;
    else if (out.some(({ id }) => id === read.id)) {
      refuse(one.place, context, `key ${read.id} is given twice`);
      wrong = true;
    } else out.push(read);
  }
  return wrong ? undefined : out;
}

/** undefined when it has another shape. */
function listKeys(key: Ref): WrittenKey[] | undefined {
  if (isMap(key))
    return key.node.entries.map(({ key: id, keyOffset, value, via }) => ({
      id,
      value,
      place: { offset: keyOffset, via: via ?? key.via },
    }));
  const nodes = key.node.kind === "list" ? key.node.items : [{ node: key.node, via: key.via }];
  const out: WrittenKey[] = [];
  for (const { node, via } of nodes) {
    if (node.kind !== "scalar") return undefined;
    const [, id = "", value = ""] = /^\s*(\S*)\s*(.*)$/s.exec(node.text) ?? [];
    out.push({ id, value, place: { offset: node.offset, via: via ?? key.via } });
  }
  return out;
}

function readKey(written: WrittenKey, context: Context): { id: number; key: string } | undefined {
  const fail = (message: string, hint?: string): undefined => refuse(written.place, context, message, hint);
  // The id is not quoted: a key written in its place must not be shown.
  const id = /^\d{1,3}$/.test(written.id) ? Number(written.id) : 256;
  if (id > 255) return fail("a key's ID is a number from 0 to 255", "ID, then VALUE");
  const secret = readSecret(
    written.value,
    { what: `key ${id}`, hint: VALUE_HINT, prefixed: true },
    context,
    fail,
  );
  if (secret === undefined) return undefined;
  const bytes = secret.startsWith("hex:") ? hexBytes(secret.slice(4)) : new TextEncoder().encode(secret);
  if (bytes === undefined) return fail(`key ${id}: not hexadecimal after "hex:"`, "pairs of 0-9 and a-f");
  if (bytes.length < MIN_BYTES || bytes.length > MAX_BYTES)
    return fail(`key ${id} has ${bytes.length} bytes`, VALUE_HINT);
  return { id, key: hex(bytes) };
}

function hexBytes(text: string): Uint8Array | undefined {
  const compact = text.replace(/[\s:]/g, "");
  return /^([0-9a-f]{2})+$/i.test(compact) ? fromHex(compact) : undefined;
}
