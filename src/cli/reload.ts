/** `vipward reload`: asks the daemon to read its configuration again. */
import type { PathOptions } from "../daemon/supervisor/paths.ts";
import { request } from "./client.ts";

export async function reloadCommand(options: PathOptions): Promise<number> {
  const { status, data } = await request<{ text: string }>("POST", "/api/v1/reload", options);
  (status === 200 ? process.stdout : process.stderr).write(`${data.text}\n`);
  return status === 200 ? 0 : 1;
}
