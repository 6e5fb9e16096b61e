import path from "node:path";

/** The project's folder, absolute; guest programs know it too (they are bundled with their places kept). */
export const projectRoot = path.resolve(import.meta.dirname, "..", "..");
