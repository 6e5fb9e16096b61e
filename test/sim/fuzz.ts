/** `npm run fuzz -- --count N [--from S]`: mutated packets against decoder, admission and machine. */
import { parseArgs } from "node:util";
import { Fuzzer } from "./fuzzer.ts";

const { values } = parseArgs({
  options: { count: { type: "string", default: "1000000" }, from: { type: "string", default: "1" } },
});
const [count, from] = [Number(values.count), Number(values.from)];
if (!Number.isSafeInteger(count) || count < 1 || !Number.isSafeInteger(from) || from < 0) {
  console.error("usage: npm run fuzz -- --count N [--from S]: N packets, first seed S, whole numbers");
  process.exit(2);
}
/** Each seed is a receiver of its own that lives through so many packets: a failure is quick to repeat. */
const PACKETS_PER_SEED = 1_000;

const started = performance.now();
const outcomes: Record<string, number> = {};
for (let done = 0; done < count; done += PACKETS_PER_SEED) {
  const seed = from + done / PACKETS_PER_SEED;
  const fuzzer = new Fuzzer(seed);
  const failure = fuzzer.run(Math.min(PACKETS_PER_SEED, count - done));
  for (const [outcome, times] of Object.entries(fuzzer.outcomes))
    outcomes[outcome] = (outcomes[outcome] ?? 0) + times;
  if (done > 0 && done % 1_000_000 === 0) console.log(`${done} packets`);
  if (failure === undefined) continue;
  console.log(failure);
  console.log(`again: npm run fuzz -- --count ${PACKETS_PER_SEED} --from ${seed}`);
  process.exit(1);
}
for (const [outcome, times] of Object.entries(outcomes).sort((a, b) => b[1] - a[1]))
  console.log(`${String(times).padStart(10)} ${outcome}`);
const each = ((performance.now() - started) * 1_000) / count;
console.log(`${count} packets: nothing thrown, every answer a known one (${each.toFixed(2)} us each)`);
