/** A secret as it is written: text, { file: PATH }, { env: NAME }. Its value is in no message. */
import type { Context } from "../context.ts";
import type { Node } from "../nodes.ts";

type Fail = (message: string, hint?: string) => undefined;

export interface SecretForm {
  /** "auth_pass", "key 7". */
  readonly what: string;
  readonly hint: string;
  /** "file:PATH" as text means the file too. */
  readonly prefixed?: boolean;
}

export function readSecret(
  value: Node | string,
  form: SecretForm,
  context: Context,
  fail: Fail,
): string | undefined {
  const { what, hint } = form;
  const text = typeof value === "string" ? value : value.kind === "scalar" ? value.text : undefined;
  if (text !== undefined) {
    if (text === "") return fail(`${what} is empty`, hint);
    if (form.prefixed && text.startsWith("file:")) return fromFile(text.slice(5), what, context, fail);
    return checked(text, what, fail);
  }
  const entry =
    typeof value !== "string" && value.kind === "map" && value.entries.length === 1
      ? value.entries[0]
      : undefined;
  if (entry?.value.kind !== "scalar" || (entry.key !== "file" && entry.key !== "env"))
    return fail(`${what} is not text`, hint);
  const source = entry.value.text;
  if (entry.key === "file") return fromFile(source, what, context, fail);
  const found = context.options.env?.[source];
  return found === undefined || found === ""
    ? fail(`${what}: the environment has no ${source.slice(0, 60)}`)
    : checked(found, what, fail);
}

function fromFile(path: string, what: string, context: Context, fail: Fail): string | undefined {
  try {
    const value = context.options.readSecretFile?.(path).replace(/\r?\n$/, "");
    return value === undefined || value === ""
      ? fail(`${what}: the file is empty`)
      : checked(value, what, fail);
  } catch (error) {
    return fail(`${what}: ${error instanceof Error ? error.message : "the file can't be read"}`);
  }
}

function checked(text: string, what: string, fail: Fail): string | undefined {
  if (text.includes("\0")) return fail(`${what} contains a NUL byte`);
  // What is not UTF-8 was replaced when it was read: two routers would then agree on less than they hold.
  return text.includes("\ufffd") ? fail(`${what} is not UTF-8 text`, "write other bytes as hex") : text;
}
