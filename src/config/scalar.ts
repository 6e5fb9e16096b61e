/** Schemas of single values: text in, typed value out, with errors that name unit and range. */
import * as z from "zod";
import { addressProblem, parseIpv4 } from "./address.ts";

type Parsed<T> = { readonly value: T } | { readonly message: string; readonly hint?: string };

/**
 * A scalar of the file: text, or null when nothing is written after the key.
 * One transform instead of a pipe behind a string schema: a large file has 100,000 of them.
 */
export function scalar<T>(parse: (text: string) => Parsed<T>, whenBare?: T) {
  return z.transform((input: unknown, context): T => {
    let parsed: Parsed<T>;
    if (typeof input === "string") parsed = parse(input);
    else if (input === null)
      parsed = whenBare === undefined ? { message: "a value is missing" } : { value: whenBare };
    else
      parsed = {
        message: `takes a value, not a ${(input as { kind?: unknown })?.kind === "list" ? "list" : "block"}`,
      };
    if ("value" in parsed) return parsed.value;
    context.issues.push({ code: "custom", message: parsed.message, params: { hint: parsed.hint }, input });
    return z.NEVER;
  });
}

const show = (text: string): string => `"${text.length > 60 ? `${text.slice(0, 57)}...` : text}"`;

export const int = (min: number, max: number) =>
  scalar<number>((text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max
      ? { value }
      : { message: `${show(text)} is not a whole number from ${min} to ${max}` };
  });

const FLAGS = new Map([
  ["true", true],
  ["on", true],
  ["yes", true],
  ["false", false],
  ["off", false],
  ["no", false],
]);

/** A bare keyword is true, as in keepalived. */
export const flag = () =>
  scalar<boolean>((text) => {
    const value = FLAGS.get(text.toLowerCase());
    return value === undefined ? { message: `${show(text)} is not true or false` } : { value };
  }, true);

/** `quiet` does not quote what was written: it may be a password in the wrong place. */
export const choice = <T extends string>(
  values: readonly T[],
  { aliases = {}, quiet = false }: { aliases?: Readonly<Record<string, T>>; quiet?: boolean } = {},
) =>
  scalar<T>((text) => {
    const folded = text.toLowerCase();
    const value = values.find((candidate) => candidate.toLowerCase() === folded) ?? aliases[folded];
    return value === undefined
      ? { message: `${quiet ? "" : `${show(text)} is `}not one of ${values.join(", ")}` }
      : { value };
  });

/** Text that goes into a request line or header, or names something: no blanks, no controls. */
export const word = (what: string, max = 255) =>
  scalar<string>((text) => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
    if (/[\s\u0000-\u001f\u007f]/.test(text))
      return { message: `${what} must not contain blanks or control characters` };
    if (text === "") return { message: `${what} is empty` };
    return text.length > max ? { message: `${what} is longer than ${max} characters` } : { value: text };
  });

export const ipv4 = () =>
  scalar<string>((text) => {
    const value = parseIpv4(text);
    return value === undefined ? addressProblem(text) : { value };
  });

const UNITS: Readonly<Record<string, number>> = {
  us: 1,
  ms: 1e3,
  cs: 1e4,
  "": 1e6,
  s: 1e6,
  m: 6e7,
  h: 3.6e9,
};
/** Timers of the event loop hold 2^31 - 1 ms; longer ones would fire at once. */
const MAX_TIMER_US = (2 ** 31 - 1) * 1e3;

/** Microseconds of "3", "0.5", "500ms", "10cs", "3s", "2m"; undefined when it is none of these. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,12}(?:\.\d{1,9})?)(us|ms|cs|s|m|h|)$/.exec(text.trim());
  return match ? Number(match[1]) * UNITS[match[2]!]! : undefined;
}

/** "3 s", "500 ms" for messages. */
export const showDuration = (us: number): string =>
  us % 1e6 === 0 ? `${us / 1e6} s` : us % 1e3 === 0 ? `${us / 1e3} ms` : `${us} us`;

export interface DurationRule {
  readonly min: number;
  readonly max?: number;
  /** The value must be a multiple of this. */
  readonly step?: number;
  readonly whenBare?: number;
}

/** A duration in microseconds; a bare number means seconds. */
export const duration = ({ min, max = MAX_TIMER_US, step = 1, whenBare }: DurationRule) =>
  scalar<number>((text) => {
    const value = parseDuration(text);
    if (value === undefined)
      return {
        message: `${show(text)} is not a duration`,
        hint: 'seconds, or with a unit: "500ms", "10cs", "3s", "2m"',
      };
    const range = `${showDuration(min)} to ${max === MAX_TIMER_US ? "24 days" : showDuration(max)}`;
    if (value < min || value > max)
      return { message: `${show(text)} is out of range`, hint: `allowed: ${range}` };
    const rounded = Math.round(value);
    if (Math.abs(value - rounded) > 1e-3 || rounded % step !== 0)
      return {
        message: `${show(text)} is not a multiple of ${showDuration(step)}`,
        hint: `allowed: ${range}`,
      };
    return { value: rounded };
  }, whenBare);

/** A key whose value is itself a block or list; read apart, by the code that knows its context. */
export const nested = () => z.unknown();

/** Text as it stands. */
export const text = () => scalar<string>((value) => ({ value }));

/** A block's keys; its name is for messages. */
export function block<T extends z.ZodRawShape>(name: string, shape: T) {
  return { name, schema: z.strictObject(shape), keys: Object.keys(shape) };
}

/** Any time a timer can hold, in microseconds. */
export const timer = () => duration({ min: 0, step: 1 }).optional();
export const count = (min: number, max: number) => int(min, max).optional();
export const bool = () => flag().optional();
