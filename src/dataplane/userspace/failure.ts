/** One operation that could not be carried out; becomes an OperationFailure. */
export class Refusal extends Error {
  /** Errno name, the kernel's where it would refuse too. */
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = "Refusal";
    this.code = code;
  }
}

export type Log = (
  level: "debug" | "info" | "warn" | "error",
  message: string,
  fields: Readonly<Record<string, unknown>>,
) => void;
