/** `nodes: { NAME: overrides }`: one file for all directors, each laying its own keys over the common ones. */
import type { Context } from "./context.ts";
import { child, isMap, type MapNode, mergeMaps } from "./nodes.ts";
import { quote } from "./problem.ts";

/** The file as this node sees it. */
export function applyNode(root: MapNode, context: Context): MapNode {
  const { problems, options } = context;
  const nodes = child({ node: root, at: root.offset }, "nodes");
  if (nodes === undefined) {
    if (options.node !== undefined)
      problems.error({
        offset: root.offset,
        message: `--node ${quote(options.node)}: the file has no nodes block`,
        hint: "nodes: { NAME: { overrides } }",
      });
    return root;
  }
  if (!isMap(nodes)) {
    problems.error({ offset: nodes.node.offset, message: "nodes takes blocks by node name", via: nodes.via });
    return root;
  }
  const names = nodes.node.entries.map((entry) => entry.key);
  const wanted =
    options.node === undefined ? [options.hostname, options.hostname.split(".")[0]!] : [options.node];
  const entry = nodes.node.entries.find((candidate) => wanted.includes(candidate.key));
  if (entry === undefined) {
    problems.error({
      offset: nodes.at,
      message: `nodes has no ${quote(wanted[0]!)}`,
      hint: `it has ${names.slice(0, 20).join(", ")}: choose one with --node`,
    });
    return root;
  }
  if (entry.value.kind === "scalar" && entry.value.empty) return root;
  if (entry.value.kind !== "map") {
    problems.error({
      offset: entry.value.offset,
      message: `nodes ${quote(entry.key)} is a block of overrides`,
    });
    return root;
  }
  if ("nodes" in entry.value.flat)
    problems.error({ offset: entry.value.offset, message: "nodes inside nodes" });
  return mergeMaps(root, entry.value);
}
