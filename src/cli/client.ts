/** The CLI's way to the daemon: HTTP over its unix socket. */
import axios, { type AxiosError } from "axios";
import { type PathOptions, resolvePaths } from "../daemon/supervisor/paths.ts";

export class NotRunningError extends Error {}

/** Throws NotRunningError when nobody answers there, with what to do. */
export async function request<T>(
  method: "GET" | "POST",
  path: string,
  options: PathOptions,
): Promise<{ status: number; data: T }> {
  const { socket } = resolvePaths(options);
  try {
    const { status, data } = await axios.request<T>({
      method,
      url: `http://localhost${path}`,
      socketPath: socket,
      proxy: false,
      maxRedirects: 0,
      timeout: 70_000,
      validateStatus: () => true,
      maxContentLength: 256 * 1024 * 1024,
    });
    return { status, data };
  } catch (error) {
    const { code, message } = error as AxiosError;
    if (code === "ENOENT" || code === "ECONNREFUSED") {
      throw new NotRunningError(`no vipward is running here (${socket}); start it with: vipward run -c FILE`);
    }
    if (code === "EACCES")
      throw new NotRunningError(`permission denied on ${socket}: run as root or its group`);
    throw new Error(`cannot talk to vipward at ${socket}: ${message}`);
  }
}
