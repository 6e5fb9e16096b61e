/** Holds a written configuration against vipward's own rules, and leaves out what it can't have, with a warning. */
import type { ParseOptions } from "../context.ts";
import { configOf, type LoadResult } from "../load.ts";
import { type Problem, Problems } from "../problem.ts";
import { type DocMap, type Origin, type Owner, toNodes } from "./document.ts";
import type { Notes } from "./notes.ts";
import { describeSpot, type Spot } from "./source.ts";

/** Offsets are indexes of origins, so the empty text's only line has the offset as its column. */
class OriginProblems extends Problems {
  readonly #origins: readonly Origin[];
  constructor(origins: readonly Origin[]) {
    super(origins[0]!.spot.file.path, "");
    this.#origins = origins;
    this.parsed = true;
  }
  override line(offset: number): string {
    const spot = this.#origins[offset]?.spot ?? this.#origins[0]!.spot;
    return describeSpot(spot, this.#origins[0]!.spot.file);
  }
}

export interface Placed {
  readonly problem: Problem;
  readonly spot: Spot;
}

/** Rounds of leaving out and looking again: every block is looked at only when the one around it can be read. */
const MAX_ROUNDS = 60;

export interface Validated {
  readonly result: LoadResult;
  /** Warnings of the configuration itself, not of the import. */
  readonly lints: readonly Placed[];
}

/**
 * Validates `doc`, taking out of it what vipward refuses and keepalived ignores or has beyond vipward. What can't be
 * taken out without changing what the rest means stays an error.
 */
export function validate(doc: DocMap, options: ParseOptions, notes: Notes): Validated {
  for (let round = 0; ; round++) {
    const { node, origins } = toNodes(doc);
    const problems = new OriginProblems(origins);
    const result = configOf(node, problems, options);
    const placed = result.problems
      .filter((problem) => problem.line > 0)
      .map((problem) => ({ problem, origin: origins[problem.column - 1] ?? origins[0]! }));
    const errors = placed.filter(({ problem }) => problem.severity === "error");
    const lints = placed.flatMap(({ problem, origin }) =>
      problem.severity === "warning" ? [{ problem, spot: origin.spot }] : [],
    );
    const gone = new Set<unknown>();
    const stuck = errors.filter(({ problem, origin }) => !leaveOut(problem, origin, gone, notes));
    if (gone.size > 0 && round < MAX_ROUNDS) continue;
    for (const { problem, origin } of stuck) notes.error(origin.spot, problem.message, problem.hint);
    return { result, lints };
  }
}

/** False when it must stay. */
function leaveOut(problem: Problem, origin: Origin, gone: Set<unknown>, notes: Notes): boolean {
  const owner = droppable(origin.owner);
  if (owner === undefined) return false;
  const what = "entry" in owner ? owner.entry : owner.item;
  if (gone.has(what)) return true;
  gone.add(what);
  if ("entry" in owner) owner.in.entries = owner.in.entries.filter((entry) => entry !== what);
  else owner.in.items = owner.in.items.filter((item) => item !== what);
  notes.warn(origin.spot, `left out: ${problem.message}`, problem.hint);
  return true;
}

/** Keys whose value is everything the block is for: a block without them goes as a whole. */
const ESSENTIAL = new Set(["script", "process", "file", "path", "misc_path", "track_file", "group", "url"]);
/** What is never left out: without it the rest would mean something else. */
const KEPT = new Set([
  "interface",
  "virtual_router_id",
  "authentication",
  "auth_hmac",
  "virtual_ipaddress",
  "virtual_ipaddress_excluded",
  "unicast_peer",
]);
/** Blocks that may not go as a whole. */
const NAMED_AND_KEPT = new Set(["vrrp_instance"]);

/** The nearest thing around a place that may go. */
function droppable(owner: Owner): NonNullable<Owner> | undefined {
  for (let at = owner; at !== undefined; at = at.up)
    if ("entry" in at && (at.entry.key === "authentication" || at.entry.key === "auth_hmac"))
      return undefined;
  for (let at = owner; at !== undefined; at = at.up) {
    if ("item" in at) return at;
    const { key, value } = at.entry;
    const { up } = at;
    if (up === undefined || KEPT.has(key)) return undefined;
    if ("entry" in up && up.up === undefined && NAMED_AND_KEPT.has(up.entry.key)) return undefined;
    if (ESSENTIAL.has(key) && (value.kind === "scalar" || key !== "track_file")) continue;
    return at;
  }
  return undefined;
}
