/** Chooses the dataplane; the heavy parts of the one not chosen are never loaded. */
import type { DataplaneChoice } from "../../config/model.ts";
import { type Dataplane, DataplaneError } from "../../dataplane/port.ts";
import type { Logger } from "../messages.ts";

/** "auto" takes the kernel's IPVS where there is one. Throws DataplaneError. */
export async function openDataplane(choice: DataplaneChoice, log: Logger): Promise<Dataplane> {
  if (choice === "userspace") return openUserspace(log, "as configured");
  try {
    const { openKernelDataplane } = await import("../../dataplane/kernel-ipvs/index.ts");
    return await openKernelDataplane({ log });
  } catch (error) {
    if (choice === "kernel" || !(error instanceof DataplaneError)) throw error;
    return openUserspace(log, error.message);
  }
}

async function openUserspace(log: Logger, why: string): Promise<Dataplane> {
  const { openUserspaceDataplane } = await import("../../dataplane/userspace/index.ts");
  const dataplane = await openUserspaceDataplane({ log });
  log(
    "warn",
    `USERSPACE DATAPLANE: connections are relayed by this process, not by the kernel's IPVS (${why}). ` +
      "Good for demos and development, too slow and fragile for production.",
    { dataplane: "userspace" },
  );
  return dataplane;
}
