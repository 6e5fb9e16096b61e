/** heartbeat_interfaces: further links that carry the same advertisements. */
import type { Context } from "../context.ts";
import { child, isScalar, type MapNode, type Ref } from "../nodes.ts";
import { inside, refuse } from "../place.ts";
import { quote } from "../problem.ts";
import { validInterfaceName } from "../values.ts";
import { items } from "../words.ts";

export function readHeartbeats(ref: Ref<MapNode>, own: string, context: Context): string[] {
  const list = child(ref, "heartbeat_interfaces");
  const out: string[] = [];
  for (const item of list === undefined ? [] : items(list)) {
    const fail = (message: string, hint?: string): undefined =>
      refuse(inside(item), context, `heartbeat_interfaces: ${message}`, hint);
    if (!isScalar(item)) {
      fail("takes names of interfaces");
      continue;
    }
    for (const name of item.node.text.trim().split(/\s+/)) {
      if (!validInterfaceName(name)) fail(`${quote(name)} is not an interface name`);
      else if (name === own) fail(`${name} is the instance's own interface`, "list the further ones");
      else if (out.includes(name)) fail(`${name} is listed twice`);
      else out.push(name);
    }
  }
  return out;
}
