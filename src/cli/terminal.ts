/** When to colour: only on a terminal, and never against NO_COLOR (no-color.org). */
export const color = (stream: { isTTY?: boolean }): boolean =>
  stream.isTTY === true && (process.env.NO_COLOR ?? "") === "";
