/**
 * Random elections: the same story is told to directors of mixed make and to keepalived alone, and both must
 * name the same owners. The nodes start one after the other, then the owner stops, then it comes back.
 */
import { conf, type EdgeRole, type Edges, instance, unixNow, withEdges } from "./edges.ts";
import { waitFor } from "./wait.ts";

const ROLES = ["a", "b", "c"] as const;
type Make = "vipward" | "keepalived";

export interface Candidate {
  readonly role: (typeof ROLES)[number];
  readonly make: Make;
  readonly priority: number;
  readonly nopreempt: boolean;
}

export interface Election {
  readonly seed: number;
  readonly version: 2 | 3;
  /** Seconds. */
  readonly interval: number;
  /** In the order they start. */
  readonly candidates: readonly Candidate[];
}

/** Far enough apart that skew times (v3: 0.2 s / 256 a point) cannot be mistaken on a busy machine. */
const PRIORITIES = [20, 80, 140, 200, 250];

/** mulberry32: neighbouring seeds give unlike elections. */
function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** The same election for the same seed. Equal priorities only in pairs: three nodes would race. */
export function planElection(seed: number, versions: readonly (2 | 3)[] = [3]): Election {
  const random = generator(seed);
  const shuffled = <T>(items: readonly T[]): T[] => {
    const rest = [...items];
    return items.map(() => rest.splice(random(rest.length), 1)[0] as T);
  };
  const count = 2 + random(2);
  const equal = count === 2 && random(4) === 0;
  const priorities = shuffled(PRIORITIES);
  // At least one of ours.
  const makes = shuffled<Make>([
    "vipward",
    ...Array.from({ length: count - 1 }, () => (random(2) ? "vipward" : "keepalived")),
  ] as Make[]);
  const version = versions[random(versions.length)] ?? 3;
  const candidates = shuffled(ROLES)
    .slice(0, count)
    .map((role, i) => ({
      role,
      make: makes[i] ?? "vipward",
      priority: (equal ? priorities[0] : priorities[i]) ?? 100,
      nopreempt: random(3) === 0,
    }));
  return { seed, version, interval: version === 2 ? 1 : 0.2, candidates };
}

export const describeElection = ({ version, candidates }: Election): string =>
  `v${version}: ${candidates.map(({ role, make, priority, nopreempt }) => `${role} ${make} ${priority}${nopreempt ? " nopreempt" : ""}`).join(", ")}`;

/** Owners after every step: one for each start, one after the owner stopped, one after it came back. */
export async function holdElection(election: Election, alone = false): Promise<EdgeRole[]> {
  const owners: EdgeRole[] = [];
  const roles = election.candidates.map(({ role }) => role);
  await withEdges(roles, async (edges) => {
    const running = new Map<EdgeRole, { stop(): Promise<unknown> }>();
    const start = async (candidate: Candidate) => {
      running.set(candidate.role, await startCandidate(edges, election, candidate, alone));
    };
    for (const candidate of election.candidates) {
      await start(candidate);
      owners.push(await settled(edges, election));
    }
    const owner = owners.at(-1) as EdgeRole;
    await running.get(owner)?.stop();
    owners.push(await settled(edges, election));
    await start(election.candidates.find(({ role }) => role === owner) as Candidate);
    owners.push(await settled(edges, election));
  })();
  return owners;
}

function startCandidate(
  edges: Edges,
  { version, interval }: Election,
  { role, make, priority, nopreempt }: Candidate,
  alone: boolean,
): Promise<{ stop(): Promise<unknown> }> {
  const common = { version, advert_int: interval, priority };
  if (make === "keepalived" || alone)
    return edges.keepalived(
      role,
      conf({ state: "BACKUP", ...common, ...(nopreempt ? { nopreempt: true } : {}) }),
    );
  return edges.vipward(role, {
    vrrp_instance: { VI_1: instance({ ...common, ...(nopreempt ? { nopreempt: true } : {}) }) },
  });
}

/** The only one that advertised for a while, when every master-down timer has had its chance. */
async function settled(edges: Edges, { interval }: Election): Promise<EdgeRole> {
  const since = unixNow();
  // Master-down at priority 1 is under 4 intervals; then a window with one sender only.
  const [earliest, window] = [5 * interval + 0.5, 3.5 * interval];
  return waitFor(
    () => {
      const now = unixNow();
      if (now < since + earliest + window) return undefined;
      const heard = ROLES.filter((role) =>
        edges.capture
          .adverts()
          .some((advert) => advert.time >= now - window && advert.source.endsWith(`.${LAST[role]}`)),
      );
      return heard.length === 1 && heard[0];
    },
    { timeout: 30_000, every: 100, what: "one owner" },
  );
}

const LAST = { a: 11, b: 12, c: 13 } as const;
